package tree

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

// BenchmarkMillion makes a tree of a million znodes of 200 bytes. It reports what lives of it on the heap for each, data
// and path included, and how long it takes to freeze, to write and to read.
func BenchmarkMillion(b *testing.B) {
	const znodes = 1_000_000
	for b.Loop() {
		before := live()
		tree := New(nil)
		for parent := range 100 {
			create(b, tree, fmt.Sprintf("/p%d", parent), nil)
		}
		began := time.Now()
		for n := range znodes {
			create(b, tree, fmt.Sprintf("/p%d/n%d", n%100, n), make([]byte, 200))
		}
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/znodes, "ns/create")
		b.ReportMetric(float64(live()-before)/znodes, "B/znode")
		began = time.Now()
		frozen := tree.Freeze()
		b.ReportMetric(float64(time.Since(began).Microseconds()), "µs-to-freeze")
		r, w := io.Pipe()
		go func() {
			e := proto.NewWriter(w)
			frozen.Encode(e)
			w.CloseWithError(e.Flush())
		}()
		began = time.Now()
		again, err := Decode(proto.NewReader(r))
		if err != nil || again.Len() != tree.Len() {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-to-write-and-read")
		runtime.KeepAlive(tree)
	}
	b.ReportMetric(0, "ns/op")
}

func create(b *testing.B, tree *Tree, path string, data []byte) {
	if _, _, code := tree.Begin(1, 1, nil).Create(path, data, proto.Anyone(), 0, 0); code != proto.OK {
		b.Fatal(path, code)
	}
}

func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
