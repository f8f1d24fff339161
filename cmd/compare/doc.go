// Package compare holds the stories that are played on Apache's nodes, and what is measured on Apache's and on embedded
// ones side by side. It consists of tests and benchmarks.
//
// The program runs as its users run it, and talks to clusters of real processes; Kafka's jars come from Maven by way of
// package need.
//
// # The drill
//
// The drill does to both clusters, at the same time and with the same timeouts: kill -9 of a follower, of the leader, of the
// controller and of a controller that leads, SIGTERM of the leader and of the controller, SIGSTOP of the leader for 12 s,
// kill -9 of a coordinator and of the coordinators' leader, and a topic that is deleted and created again. Each step has a
// topic of its own whose assignment says which broker leads, which follows and which is the controller. What happened is
// read from the timelines and told by those parts; the table says in how many runs of each engine it happened, after how
// long, and the ratio of the medians.
//
//	KDRILL_DRILL=FOLDER go test ./cmd/compare -run '^$' -bench Drill -benchtime 1x -timeout 60m
//
// keeps each run in the folder, so that the table covers all of them. Played three times on Apache 3.9.1 and on embedded
// nodes, every step but the last had the same sequence in all six: who leads, the members of the ISR, the epochs, the
// controller. Of 50,000 records that were acknowledged none was lost and none was read twice, and none was refused. The epoch
// of a partition grows by two where its leader was the controller: the new one first writes that nobody leads, then elects.
//
// One difference remains. Before Apache's controller deletes a topic it takes its partitions offline and its replicas out of
// the ISR one by one, and writes each state to ZooKeeper; the embedded controller tells the brokers at once that the topic
// has no leaders and has the replicas deleted, without a state in between. A client sees the same: the topic is gone. Times
// that depend on the start of a process (registered again, in sync again) are those of a JVM on the one side; the
// session that ends, the election and the recovery of clients have the same length, since the timeouts are the same.
//
// # Memory and time to ready
//
//	go test ./cmd/compare -run '^$' -bench 'Up$' -benchtime 3x -timeout 60m
//
// starts three coordinators and three brokers of each kind in turn. Apache's nodes take the small heaps that kdrill gives
// them, and then those of Apache's own scripts (kdrill up --heap apache). Memory is what the processes have once all of them
// serve, and again after they have idled. RSS counts pages that several processes share, such as those of the executable, in
// each of them; PSS divides them.
//
// # Many partitions
//
//	go test ./cmd/compare -run '^$' -bench Scale -benchtime 1x -timeout 60m
//
// has three brokers of each kind keep 2,000 partitions of three replicas: creation, idle processor time, memory, failover of
// a third of the leaders, start after kill -9 and after SIGTERM.
//
// A story owns its cluster and the goroutines of its clients; stories do not run at the same time.
package compare
