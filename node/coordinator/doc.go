// Package coordinator is one node of an ensemble that speaks the ZooKeeper client protocol: an Apache client, broker
// or tool finds its znodes, sessions and watches here.
//
//	write   connection -> quorum.Submit -> Raft log -> Server.Apply on every node -> state.Machine -> reply, events
//	read    connection -> state.Machine of this node -> reply
//
// [Run] reads a zoo.cfg and serves until it is told to stop. The state is replicated as a log of commands (package
// state); what depends on time, randomness or one node's connections stays outside: session timeouts are package
// session, watches belong to the node that the client is connected to.
//
// Beside its clients a node answers four-letter words, Apache's admin commands over HTTP and Prometheus.
//
// Server.mu guards the state. Entries are applied under its write lock, reads happen under its read lock, and whatever
// goes into a connection's queue goes there under one of the two. This is why an event reaches a client before
// any reply that shows the change, and not before the reply that set the watch. Each connection has a goroutine that
// reads requests, in order, and holds a read back until the writes before it are applied; what is queued is sent by whoever
// queued it, once no lock is held.
package coordinator
