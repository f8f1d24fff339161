// Package quota limits what clients may ask of a broker: bytes produced and fetched in a second, a share of request
// time, changes of topics, and connections opened from an address.
//
// [Limits] are the configurations of users, clients and ips, immutable, with the question which of them concerns whom.
// [Quotas] measures: [Quotas.Take] notes an amount and says for how long its sender has to rest so that the rate over
// the windows is within its limit again (KIP-13, KIP-124, KIP-219). Who has no limit is not measured. A [Throttle] limits what replicas copy.
//
// Limits are replaced as a whole; meters have one small lock. Time is an argument everywhere.
package quota
