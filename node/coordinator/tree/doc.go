// Package tree is the tree of znodes, in memory, with ZooKeeper's rules for versions, sequences, ephemerals and ACLs.
//
// Znodes never change, they are replaced; all of them are in one sorted map whose copy costs nothing ([Tree.Freeze]), so
// that a snapshot is written while the tree goes on.
//
// A change runs in a [Txn], which has a zxid and a time: its operations apply at once and note what was there
// before, so that a multi that fails half-way rolls back. What the change means to watchers is in [Txn.Events].
// Reads go straight to the [Tree]. The same transactions in the same order make the same tree on every node: nothing
// here asks a clock, a random number or the order of a map.
//
// A Tree has no lock. One writer or many readers: its owner decides.
package tree
