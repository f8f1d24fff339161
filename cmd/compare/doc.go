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
// Differences that are meant: Apache's controller batches its writes and embedded ones elect sooner, so that times
// differ; JVMs that were just started answer late. Everything else that differs is a defect.
//
// A story owns its cluster and the goroutines of its clients; stories do not run at the same time.
package compare
