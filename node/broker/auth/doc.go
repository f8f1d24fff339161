// Package auth says who is at the other end of a broker's connections: by TLS certificates and by SASL PLAIN and SCRAM.
//
// [ReadListener] turns the properties of one listener into what [wire.Server] follows: certificates, trusted
// authorities, mechanisms, PLAIN's users. [Listener.Security] makes an [wire.Authenticator] for each connection, which
// takes the requests of SASL and names the principal. [ReadDialer] is the other side: how this broker proves to others
// who it is. SCRAM's credentials are znodes; [Credential] is their form, and the broker looks them up by a [Lookup], those of delegation tokens, too.
//
// A listener's key and trust store can be exchanged while it is open ([Listener.ReadStores], [Listener.Use]): each new
// connection asks which are in use, in either direction. Everything else that was read is immutable. An authenticator
// belongs to the goroutine of its connection.
//
// Sources: KIP-12, KIP-43, KIP-48, KIP-84, KIP-152, KIP-368, KIP-371, KIP-651; RFC 2253, 4616, 5802.
package auth
