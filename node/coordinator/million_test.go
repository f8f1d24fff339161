package coordinator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

// BenchmarkMillion has three nodes hold a million znodes of 200 bytes and 10,000 sessions. It reports how long it took to
// create them, what a write of another client took meanwhile, snapshots included, the memory of a node, the size of its
// snapshot, and how long a node takes to serve again after it was killed.
//
//	go test ./node/coordinator -run '^$' -bench Million -benchtime 1x -timeout 30m
func BenchmarkMillion(b *testing.B) {
	const znodes, sessions, holders, batch, writers = 1_000_000, 10_000, 32, 500, 8
	for b.Loop() {
		s := &side{name: "kdrill", start: startEnsemble}
		s.up(b)
		leader := s.leader()

		over, end := context.WithCancel(b.Context())
		defer end()
		var connecting, holding sync.WaitGroup
		for i := range holders {
			connecting.Add(1)
			holding.Go(func() {
				var held []*benchClient
				for n := i; n < sessions && !b.Failed(); n += holders {
					c, err := connectBench(s.nodes[n%3].client)
					if err != nil {
						b.Error(err)
						break
					}
					held = append(held, c)
				}
				connecting.Done()
				hold(b, over, held)
			})
		}
		connecting.Wait()
		b.ReportMetric(s.memory(b), "MB/node-10k-sessions")

		var loading sync.WaitGroup
		began := time.Now()
		for w := range writers {
			loading.Go(func() {
				c := must[*benchClient](b)(connectBench(s.nodes[w%3].client))
				defer c.Close()
				c.SetDeadline(time.Time{})
				for first := w * batch; first < znodes; first += writers * batch {
					if _, err := c.do(createMany(first, batch), w, first); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		var took []time.Duration
		var probing sync.WaitGroup
		probing.Go(func() {
			c := must[*benchClient](b)(connectBench(leader.client))
			defer c.Close()
			c.SetDeadline(time.Time{})
			for n := 0; over.Err() == nil; n++ {
				d, err := c.do(operations[1], 0, n)
				if err != nil {
					b.Error(err)
					return
				}
				took = append(took, d)
			}
		})
		loading.Wait()
		b.ReportMetric(time.Since(began).Seconds(), "s-to-create")
		end()
		probing.Wait()
		holding.Wait()
		slices.Sort(took)
		b.ReportMetric(ms(percentile(took, 99)), "ms-write-p99")
		b.ReportMetric(ms(took[len(took)-1]), "ms-write-max")
		b.ReportMetric(s.memory(b), "MB/node-all")
		b.ReportMetric(snapshotSize(b, leader), "MB-snapshot")

		leader.kill()
		died := time.Now()
		leader.start()
		leader.serving()
		b.ReportMetric(time.Since(died).Seconds(), "s-restart")
	}
	b.ReportMetric(0, "ns/op")
}

// hold keeps the sessions of clients alive until over.
func hold(b *testing.B, over context.Context, clients []*benchClient) {
	ping := operation{"ping", proto.OpPing, func(*proto.Encoder, int, int) {}}
	beat := time.NewTicker(8 * time.Second)
	defer beat.Stop()
	for {
		select {
		case <-over.Done():
			for _, c := range clients {
				c.Close()
			}
			return
		case <-beat.C:
		}
		for _, c := range clients {
			c.SetDeadline(time.Now().Add(time.Minute))
			if _, err := c.do(ping, 0, int(proto.XidPing)); err != nil {
				b.Error(err)
				return
			}
		}
	}
}

// createMany creates count znodes at once, spread over the znodes of all clients.
func createMany(first, count int) operation {
	return operation{"multi", proto.OpMulti, func(e *proto.Encoder, _, _ int) {
		for n := first; n < first+count; n++ {
			proto.MultiHeader{Op: proto.OpCreate}.Encode(e)
			(&proto.Create{Path: fmt.Sprintf("%s/m%d", benchPath(n%benchClients), n), Data: payload[:], ACL: proto.Anyone()}).Encode(e)
		}
		proto.MultiEnd.Encode(e)
	}}
}

// snapshotSize is the size of a node's newest snapshot, in MB.
func snapshotSize(b *testing.B, p *process) float64 {
	files, err := filepath.Glob(filepath.Join(p.dir, folder, "snapshot-*"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no snapshot in %s: %v", p.dir, err)
	}
	info, err := os.Stat(slices.Max(files))
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}
