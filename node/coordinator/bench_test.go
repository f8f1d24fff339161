package coordinator

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// Three node processes with their logs synced to disk, 200 bytes of data, as many clients as the name says, spread over
// the nodes; then the same with Apache ZooKeeper, if it is installed.
func BenchmarkCreate(b *testing.B) {
	bench(b, func(c *zk.Conn, _, n int) error {
		_, err := c.Create(fmt.Sprintf("/bench/n%d", n), payload[:], 0, anyone)
		return err
	})
}

func BenchmarkSet(b *testing.B) {
	bench(b, func(c *zk.Conn, client, _ int) error {
		_, err := c.Set(fmt.Sprintf("/bench/c%d", client), payload[:], -1)
		return err
	})
}

func BenchmarkGet(b *testing.B) {
	bench(b, func(c *zk.Conn, client, _ int) error {
		_, _, err := c.Get(fmt.Sprintf("/bench/c%d", client))
		return err
	})
}

var payload [200]byte

func bench(b *testing.B, op func(c *zk.Conn, client, n int) error) {
	for _, clients := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("kdrill/clients=%d", clients), func(b *testing.B) { benchOn(b, startEnsemble, clients, op) })
		b.Run(fmt.Sprintf("apache/clients=%d", clients), func(b *testing.B) { benchOn(b, startApache, clients, op) })
	}
}

type starter func(t testing.TB, size int, settings ...string) *ensemble

func benchOn(b *testing.B, start starter, clients int, op func(c *zk.Conn, client, n int) error) {
	e := start(b, 3)
	conns := make([]*zk.Conn, clients)
	for i := range conns {
		conns[i], _ = client(b, 10*time.Second, e.nodes[i%3].client)
	}
	must[string](b)(conns[0].Create("/bench", nil, 0, anyone))
	for i, c := range conns {
		must[string](b)(c.Sync("/bench"))
		must[string](b)(c.Create(fmt.Sprintf("/bench/c%d", i), payload[:], 0, anyone))
	}
	var next atomic.Int64
	took := make([]time.Duration, b.N)
	var wg sync.WaitGroup
	b.ResetTimer()
	for i, c := range conns {
		wg.Go(func() {
			for {
				n := int(next.Add(1))
				if n > b.N {
					return
				}
				began := time.Now()
				if err := op(c, i, n); err != nil {
					b.Error(err)
					return
				}
				took[n-1] = time.Since(began)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64(percentile(took, 99).Microseconds())/1000, "p99-ms")
	b.ReportMetric(e.memory(b), "MB/node")
}

func percentile(took []time.Duration, p int) time.Duration {
	slices.Sort(took)
	return took[(len(took)-1)*p/100]
}

// memory is what a node takes, in MB, on average.
func (e *ensemble) memory(t testing.TB) float64 {
	var pages int64
	for _, p := range e.nodes {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
		if err != nil {
			t.Skip("memory is read from /proc")
		}
		var total, resident int64
		fmt.Sscan(string(b), &total, &resident)
		pages += resident
	}
	return float64(pages*int64(os.Getpagesize())) / float64(len(e.nodes)) / 1e6
}
