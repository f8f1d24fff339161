package compare

import (
	"fmt"
	"testing"
	"time"

	"kdrill/testdata/need"
	"kdrill/testdata/stage"
)

// BenchmarkUp starts three coordinators and three brokers of each kind in turn, as users do, and prints side by side how
// long they take until all six serve and how much memory the six processes then have.
func BenchmarkUp(b *testing.B) {
	jars := need.Kafka(b, need.Kafka3)
	kinds := []struct {
		name string
		args []string
		runs []ready
	}{
		{"embedded", []string{"--engine", "embedded"}, nil},
		{"apache, small heaps", []string{"--engine", "apache"}, nil},
		{"apache, its own heaps", []string{"--engine", "apache", "--heap", "apache"}, nil},
	}
	for b.Loop() {
		for i := range kinds {
			kinds[i].runs = append(kinds[i].runs, raise(b, jars, kinds[i].args...))
		}
	}
	fmt.Printf("\n%-24s %12s %12s %8s %8s\n", "", "ready after", "memory", "time", "memory") // a benchmark's own log is cut short
	first := middle(kinds[0].runs)
	for _, k := range kinds {
		m := middle(k.runs)
		fmt.Printf("%-24s %10.2f s %9d MB %7.1fx %7.1fx\n", k.name, m.after.Seconds(), m.rss/1e6, m.after.Seconds()/first.after.Seconds(), float64(m.rss)/float64(first.rss))
	}
}

// ready is a cluster of which every node serves.
type ready struct {
	after time.Duration
	rss   int64 // of its nodes, bytes
}

func raise(b *testing.B, jars string, args ...string) ready {
	c := stage.New(b, "KAFKA_HEAP_OPTS=")
	c.Run("engine", "add", jars)
	began := time.Now()
	c.Run(append([]string{"up", "--timeout", "10m"}, args...)...)
	r := ready{after: time.Since(began)}
	for _, n := range c.Status().Nodes {
		r.rss += n.RSS
	}
	c.Run("down", "--purge", "--yes")
	return r
}

// middle takes the medians of time and memory, each for itself.
func middle(runs []ready) ready {
	var after, rss []float64
	for _, r := range runs {
		after, rss = append(after, r.after.Seconds()), append(rss, float64(r.rss))
	}
	return ready{time.Duration(median(after) * float64(time.Second)), int64(median(rss))}
}
