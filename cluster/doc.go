// Package cluster turns a description of a cluster into OS processes and keeps them: start, stop, kill, pause,
// resume, restart.
//
// A supervisor owns the nodes of one cluster and serves its state over HTTP on a Unix socket; consoles and command
// lines are its clients. A node is a process group of its own with its output in a file, so that it survives its
// supervisor, and a supervisor that starts again adopts it. The package launches a path with arguments and knows
// nothing of what runs inside.
//
// One goroutine owns the state of all nodes; requests, exits and probes reach it as messages.
package cluster
