// Package cluster turns a description of a cluster into OS processes and keeps them: start, stop, kill, pause,
// resume, restart.
//
// A [Spec] says what a cluster consists of; pure functions make the configuration files of its nodes from it. What a node
// runs is its engine: this program, or a JVM with a distribution of Apache Kafka, in ZooKeeper or KRaft mode. A
// [Supervisor] owns the processes of one cluster, writes its timeline and serves both over HTTP on a Unix socket (see its
// API in api.go); a [Client] asks it, and starts it again if it has died. A node is a session of its own with its output
// in a file, so that it survives its supervisor, and a supervisor that starts adopts what runs: run.json says which
// processes those are, by pid and start time. No process is signalled unless it is proven to be the one that was
// started. The package launches a path with arguments and knows nothing of what runs inside.
//
// One goroutine owns the state of all nodes; requests, exits and probes reach it as functions that it calls. What it
// publishes are values. A Client may be used by many goroutines.
package cluster
