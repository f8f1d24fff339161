// Package metadata is a broker's view of the cluster: who is alive, and who leads and follows which partition.
//
// The controller is its only source. Each UpdateMetadata request becomes a new [Cluster]; handlers take the
// current one and answer from it. Nothing here asks ZooKeeper, so a broker never tells a client of a state that
// the controller has not told the broker.
//
// A Cluster never changes once it is published, so it is read without a lock. Updates take turns.
package metadata
