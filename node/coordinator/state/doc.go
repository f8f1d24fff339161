// Package state is the replicated state machine of the coordinators: the znode tree, the sessions and the zxid.
//
// Every node applies the same [Command] values in the order of the Raft log; [Machine.Apply] decides what each means,
// with errors and watch events, and returns the [Result] that the node which took the request answers with. A zxid is
// the Raft term in the upper half and the number of the change within that term in the lower one; it grows with every
// request that ZooKeeper would have made a transaction of, failed ones too.
//
// A session is part of this state, so that it outlives any node. When it ends is not decided here: see package session.
//
// A Machine has no lock. One writer or many readers: its owner decides.
package state
