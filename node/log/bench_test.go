package log

import (
	"fmt"
	"slices"
	"testing"
)

func payload(size int) Batch {
	return EncodeBatch(slices.Repeat([]Record{{Timestamp: 1, Value: make([]byte, 1024)}}, max(1, size>>10))...)
}

func BenchmarkAppendLeader(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			cfg := DefaultConfig()
			cfg.SegmentBytes, cfg.RetentionBytes = 64<<20, 64<<20
			l := openLog(b, openDir(b, b.TempDir()), cfg)
			batch := payload(size)
			b.SetBytes(int64(len(batch)))
			for b.Loop() {
				if _, err := l.AppendLeader(batch, 1, FromClient); err != nil {
					b.Fatal(err)
				}
				if len(l.segments) > 8 {
					b.StopTimer()
					l.Reset(l.End())
					b.StartTimer()
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			l := openLog(b, openDir(b, b.TempDir()), DefaultConfig())
			batch := payload(16 << 10)
			for range 8 << 10 { // 128 MiB
				if _, err := l.AppendLeader(batch, 1, FromClient); err != nil {
					b.Fatal(err)
				}
			}
			next, total := int64(0), int64(0)
			for b.Loop() {
				raw, err := l.Read(next, l.End(), size, true)
				if err != nil {
					b.Fatal(err)
				}
				total += int64(len(raw))
				if next = Batch(raw).BaseOffset() + int64(len(raw)/len(batch)*16); next >= l.End() {
					next = 0
				}
			}
			b.SetBytes(total / int64(b.N))
		})
	}
}
