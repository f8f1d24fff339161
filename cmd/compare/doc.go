// Package compare holds the stories that are played on Apache's nodes, and the drill that is played on Apache's and on
// embedded ones. It consists of tests and benchmarks.
//
// The program runs as its users run it, and talks to clusters of real processes; Kafka's jars come from Maven by way of
// package need. The drill reads what happened in the timelines of both clusters, names brokers by their part in the
// story instead of their ids, and puts the two side by side:
//
//	go test ./cmd/compare -run '^$' -bench Drill -benchtime 1x -timeout 60m
//	go test ./cmd/compare -run '^$' -bench Up -benchtime 3x
//
// Played once, no record that was acknowledged was lost and none was read twice on either engine, and sessions end and
// leaders move in the same order with the same epochs. What differs does so by chance or on purpose: a story in which the
// controller dies depends on whether it led the partition (then the epoch grows by two, on Apache's as well: the new
// controller finds the partition without a leader first) and on which follower it is (F or G); JVMs that were just
// started come back later, and Apache's controller takes longer to delete a topic. Everything else that differs is a
// defect.
//
// A story owns its cluster and the goroutines of its clients; stories do not run at the same time.
package compare
