package coordinator

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// Three node processes with their logs synced to disk, 200 bytes of data, as many clients as the name says, spread over
// the nodes.
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
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			e := startEnsemble(b, 3)
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
			var wg sync.WaitGroup
			b.ResetTimer()
			for i, c := range conns {
				wg.Go(func() {
					for {
						n := int(next.Add(1))
						if n > b.N {
							return
						}
						if err := op(c, i, n); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}
