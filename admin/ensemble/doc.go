// Package ensemble talks to the servers of a ZooKeeper ensemble: as a client of all of them together, and to each one by
// four-letter words or its admin server.
//
// [Connect] opens a session for package watch and package znodes. [Prober] asks one server what it says of itself
// ([Server]) and of its clients ([Connection], [Dump]); a server tells as much as its configuration allows, and
// [NotAllowedError] names the setting that would let it tell more.
//
// A Prober is safe for concurrent use; everything it returns is a value.
package ensemble
