package compare

import (
	"fmt"
	"os"
	"strings"
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
	measures := []struct {
		name, unit string
		of         func(ready) float64
	}{
		{"all six serve after", "s", func(r ready) float64 { return r.after }},
		{"RSS of the six, then", "MB", func(r ready) float64 { return r.then.rss }},
		{"RSS later, idle", "MB", func(r ready) float64 { return r.idle.rss }},
		{"PSS of the six, then", "MB", func(r ready) float64 { return r.then.pss }},
		{"PSS later, idle", "MB", func(r ready) float64 { return r.idle.pss }},
	}
	for b.Loop() {
		for i := range kinds {
			kinds[i].runs = append(kinds[i].runs, raise(b, jars, kinds[i].args...))
		}
	}
	fmt.Printf("\n%-22s", "") // a benchmark's own log is cut short
	for _, k := range kinds {
		fmt.Printf(" %24s", k.name)
	}
	for _, m := range measures {
		fmt.Printf("\n%-22s", m.name)
		var first float64
		for i, k := range kinds {
			var all []float64
			for _, r := range k.runs {
				all = append(all, m.of(r))
			}
			middle := median(all)
			if i == 0 {
				first = middle
			}
			fmt.Printf(" %9.2f %-2s (%6.2f x)", middle, m.unit, middle/first)
		}
	}
	fmt.Println()
}

// ready is a cluster of which every node serves.
type ready struct {
	after      float64 // seconds
	then, idle memory  // of its nodes, and idleTime later
}

// memory is what processes have, in MB. A page that n processes share counts in RSS for each of them, in PSS as a nth of one.
type memory struct{ rss, pss float64 }

// idleTime is as long as a node takes to give back what only its start needed, and more.
const idleTime = 15 * time.Second

func raise(b *testing.B, jars string, args ...string) ready {
	c := stage.New(b, "KAFKA_HEAP_OPTS=")
	c.Run("engine", "add", jars)
	began := time.Now()
	c.Run(append([]string{"up", "--timeout", "10m"}, args...)...)
	r := ready{after: time.Since(began).Seconds(), then: memoryOf(c)}
	time.Sleep(idleTime)
	r.idle = memoryOf(c)
	c.Run("down", "--purge", "--yes")
	return r
}

// memoryOf is that of all nodes.
func memoryOf(c *stage.Cluster) (sum memory) {
	for _, n := range c.Status().Nodes {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", n.PID))
		if err != nil {
			c.T.Fatal(err)
		}
		sum.rss += kilobytes(c.T, string(text), "Rss") * 1024 / 1e6
		sum.pss += kilobytes(c.T, string(text), "Pss") * 1024 / 1e6
	}
	return sum
}

// kilobytes reads one line of a smaps_rollup.
func kilobytes(t testing.TB, text, key string) (kB float64) {
	_, after, _ := strings.Cut(text, "\n"+key+":")
	if _, err := fmt.Sscan(after, &kB); err != nil {
		t.Fatalf("%s: %v\n%s", key, err, text)
	}
	return kB
}
