package compare

import (
	"fmt"
	"testing"
	"time"

	"kdrill/testdata/need"
	"kdrill/testdata/stage"
)

// BenchmarkUp starts three coordinators and three brokers of each kind in turn, as users do, and prints side by side how
// long they take until all six serve and how much memory the six processes have then and after they have idled.
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
	fmt.Printf("\n%-24s %12s %12s %12s %8s %8s %8s\n", "", "ready after", "memory", "idle", "time", "memory", "idle") // a benchmark's own log is cut short
	first := middle(kinds[0].runs)
	for _, k := range kinds {
		m := middle(k.runs)
		fmt.Printf("%-24s %10.2f s %9d MB %9d MB %7.1fx %7.1fx %7.1fx\n", k.name, m.after.Seconds(), m.rss/1e6, m.idle/1e6,
			m.after.Seconds()/first.after.Seconds(), float64(m.rss)/float64(first.rss), float64(m.idle)/float64(first.idle))
	}
}

// ready is a cluster of which every node serves.
type ready struct {
	after time.Duration
	rss   int64 // of its nodes then, bytes
	idle  int64 // and idleTime later
}

// idleTime is as long as a node takes to give back what only its start needed, and more.
const idleTime = 15 * time.Second

func raise(b *testing.B, jars string, args ...string) ready {
	c := stage.New(b, "KAFKA_HEAP_OPTS=")
	c.Run("engine", "add", jars)
	began := time.Now()
	c.Run(append([]string{"up", "--timeout", "10m"}, args...)...)
	r := ready{after: time.Since(began), rss: rss(c)}
	time.Sleep(idleTime)
	r.idle = rss(c)
	c.Run("down", "--purge", "--yes")
	return r
}

// rss is the memory of all nodes, in bytes.
func rss(c *stage.Cluster) (sum int64) {
	for _, n := range c.Status().Nodes {
		sum += n.RSS
	}
	return sum
}

// middle takes the medians of time and memory, each for itself.
func middle(runs []ready) ready {
	var after, then, idle []float64
	for _, r := range runs {
		after, then, idle = append(after, r.after.Seconds()), append(then, float64(r.rss)), append(idle, float64(r.idle))
	}
	return ready{time.Duration(median(after) * float64(time.Second)), int64(median(then)), int64(median(idle))}
}
