package coordinator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

// BenchmarkMillion has three nodes hold a million znodes of 200 bytes and 10,000 sessions; then the same with Apache's, with
// 2 GB of heap, since half of that, which its scripts give it, is too little: Million/kdrill is ours alone. It reports how long it took to create the znodes; what a write
// of another client took meanwhile, at most and while a large snapshot was made; the memory of a node; how large its newest
// snapshot is and how long it took; how long a node takes to serve again after it was killed, and its memory then.
//
//	go test ./node/coordinator -run '^$' -bench Million -benchtime 1x -timeout 30m
func BenchmarkMillion(b *testing.B) {
	b.Run("kdrill", func(b *testing.B) { holdMillion(b, &side{name: "kdrill", start: startEnsemble}) })
	b.Run("apache", func(b *testing.B) {
		holdMillion(b, &side{name: "apache", start: startApache, settings: []string{"HEAP=2g"}})
	})
}

func holdMillion(b *testing.B, s *side) {
	const znodes, sessions, holders, batch, writers = 1_000_000, 10_000, 32, 500, 8
	for b.Loop() {
		s.up(b)
		leader := s.leader()

		over, end := context.WithCancel(b.Context())
		defer end()
		var connecting, holding sync.WaitGroup
		var lost atomic.Int64
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
				lost.Add(hold(over, held))
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
		var writes []probe
		var probing sync.WaitGroup
		probing.Go(func() {
			c := must[*benchClient](b)(connectBench(leader.client))
			defer c.Close()
			c.SetDeadline(time.Time{})
			for n := 0; over.Err() == nil; n++ {
				began := time.Now()
				took, err := c.do(operations[1], 0, n)
				if err != nil {
					b.Error(err)
					return
				}
				writes = append(writes, probe{began, took})
			}
		})
		loading.Wait()
		b.ReportMetric(time.Since(began).Seconds(), "s-to-create")
		end()
		probing.Wait()
		holding.Wait()
		b.ReportMetric(float64(lost.Load()), "sessions-lost")
		reportWrites(b, writes, madeSnapshots(leader))
		b.ReportMetric(s.memory(b), "MB/node-all")

		leader.kill()
		died := time.Now()
		leader.start()
		leader.serving()
		b.ReportMetric(time.Since(died).Seconds(), "s-restart")
		b.ReportMetric((&ensemble{nodes: []*process{leader}}).memory(b), "MB/node-restarted")
		if size := snapshotSize(b, leader); size > 0 {
			b.ReportMetric(size, "MB-snapshot")
		}
	}
	b.ReportMetric(0, "ns/op")
}

// probe is when a write began and how long it took.
type probe struct {
	began time.Time
	took  time.Duration
}

// made is when a snapshot was taken.
type made struct {
	began, ended time.Time
	bytes        int
}

var snapshotTaken = regexp.MustCompile(`(?m)^time=(\S+) .*msg="snapshot taken" .*bytes=(\d+) took=(\S+)$`)

// madeSnapshots are the snapshots that a node's log tells of; Apache's tells of none.
func madeSnapshots(p *process) []made {
	var list []made
	for _, m := range snapshotTaken.FindAllStringSubmatch(p.log.String(), -1) {
		ended, _ := time.Parse(time.RFC3339Nano, m[1])
		bytes, _ := strconv.Atoi(m[2])
		took, _ := time.ParseDuration(m[3])
		list = append(list, made{ended.Add(-took), ended, bytes})
	}
	return list
}

func reportWrites(b *testing.B, writes []probe, snapshots []made) {
	var took, during []time.Duration
	var newest made
	if len(snapshots) > 0 {
		newest = snapshots[len(snapshots)-1]
		b.ReportMetric(newest.ended.Sub(newest.began).Seconds(), "s-snapshot")
		b.ReportMetric(float64(len(snapshots)), "snapshots")
	}
	for _, w := range writes {
		took = append(took, w.took)
		if slices.ContainsFunc(snapshots, func(s made) bool {
			return 2*s.bytes > newest.bytes && w.began.Before(s.ended) && w.began.Add(w.took).After(s.began)
		}) {
			during = append(during, w.took)
		}
	}
	slices.Sort(took)
	slices.Sort(during)
	b.ReportMetric(ms(percentile(took, 50)), "ms-write-p50")
	b.ReportMetric(ms(percentile(took, 99)), "ms-write-p99")
	b.ReportMetric(ms(took[len(took)-1]), "ms-write-max")
	if len(during) > 0 {
		b.ReportMetric(ms(percentile(during, 50)), "ms-write-p50-in-snapshot")
		b.ReportMetric(ms(during[len(during)-1]), "ms-write-max-in-snapshot")
	}
}

// hold keeps the sessions of clients alive until over, and returns how many were lost.
func hold(over context.Context, clients []*benchClient) (lost int64) {
	ping := operation{"ping", proto.OpPing, func(*proto.Encoder, int, int) {}}
	beat := time.NewTicker(8 * time.Second)
	defer beat.Stop()
	for {
		select {
		case <-over.Done():
			for _, c := range clients {
				c.Close()
			}
			return lost
		case <-beat.C:
		}
		clients = slices.DeleteFunc(clients, func(c *benchClient) bool {
			c.SetDeadline(time.Now().Add(time.Minute))
			if _, err := c.do(ping, 0, int(proto.XidPing)); err != nil {
				c.Close()
				lost++
				return true
			}
			return false
		})
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

// snapshotSize is the size of a node's newest snapshot, in MB; 0 if it has none.
func snapshotSize(b *testing.B, p *process) float64 {
	files, err := filepath.Glob(filepath.Join(p.dir, "*", "snapshot*"))
	if err != nil || len(files) == 0 {
		return 0
	}
	var newest os.FileInfo
	for _, path := range files {
		if filepath.Ext(path) == ".tmp" { // it is being written
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		if newest == nil || info.ModTime().After(newest.ModTime()) {
			newest = info
		}
	}
	if newest == nil {
		return 0
	}
	return float64(newest.Size()) / 1e6
}
