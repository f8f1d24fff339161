package log

import (
	"fmt"
	"sync"
	"testing"
)

// BenchmarkManyLogs closes and opens a directory of 2,000 partitions with some records each, after a clean end and after a
// crash.
func BenchmarkManyLogs(b *testing.B) {
	for _, clean := range []bool{true, false} {
		b.Run(fmt.Sprintf("clean=%v", clean), func(b *testing.B) {
			d := openDir(b, b.TempDir())
			openMany(b, d)
			for _, l := range d.logs {
				for range 10 {
					lead(b, l, 1, 5)
				}
			}
			for b.Loop() {
				if err := d.Close(clean, nil); err != nil {
					b.Fatal(err)
				}
				d = openDir(b, d.path)
				openMany(b, d)
			}
		})
	}
}

func openMany(b *testing.B, d *Dir) {
	var wg sync.WaitGroup
	for first := range 4 {
		wg.Go(func() {
			for p := first; p < 2000; p += 4 {
				if _, err := d.Open("many", int32(p), DefaultConfig()); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
