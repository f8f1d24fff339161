package log

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// filled is a log of several segments and its batches' ends.
func filled(t testing.TB, d *Dir, cfg Config) (*Log, []int64) {
	t.Helper()
	l := openLog(t, d, cfg)
	var ends []int64
	for i := range 40 {
		ends = append(ends, lead(t, l, int32(i/15), 1+i%4).Last+1)
	}
	return l, ends
}

func TestACleanStopIsTrusted(t *testing.T) {
	d := openDir(t, t.TempDir())
	l, _ := filled(t, d, small())
	end := l.End()
	_, l = restart(t, d, small())
	if r := l.Recovery(); r != (Recovery{}) || l.End() != end {
		t.Fatalf("%+v, end %d, want %d", r, l.End(), end)
	}
	lead(t, l, 3, 2)
	if got := contents(t, l, 0, 300); !slices.Equal(got, sequence(0, end+2)) {
		t.Fatal(got)
	}
}

func TestACrashIsRecoveredFromTheRecoveryPointOn(t *testing.T) {
	d := openDir(t, t.TempDir())
	l, _ := filled(t, d, small())
	if err := checkpoint(d, nil); err != nil {
		t.Fatal(err)
	}
	end, segments := l.End(), len(l.segments)
	_, l = crash(t, d, small())
	if r := l.Recovery(); r.SegmentsScanned != 1 || r.Reason != "" || l.End() != end {
		t.Fatalf("%+v, end %d, want %d", r, l.End(), end)
	}
	if got := contents(t, l, 0, 300); !slices.Equal(got, sequence(0, end)) || len(l.segments) != segments {
		t.Fatal(got)
	}
}

func TestATornTailIsCutAndSaid(t *testing.T) {
	d := openDir(t, t.TempDir())
	l, ends := filled(t, d, DefaultConfig())
	path := l.active().log.path
	d.Close(false, nil)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-5); err != nil {
		t.Fatal(err)
	}
	d = openDir(t, d.path)
	l = openLog(t, d, DefaultConfig())
	r := l.Recovery()
	if l.End() != ends[len(ends)-2] || r.TruncatedBytes == 0 || !strings.Contains(r.Reason, name(0)+".log") {
		t.Fatalf("end %d, %+v", l.End(), r)
	}
	if info, _ := os.Stat(path); info.Size() != l.Size() {
		t.Fatalf("file has %d bytes, log %d", info.Size(), l.Size())
	}
}

// checkDamaged opens what is left of a log after its active and sealed segments were hit, and checks that everything
// before the first hit is there and nothing else is.
func checkDamaged(t *testing.T, path string, intact map[int64][]byte, hit int64, upTo int64) {
	t.Helper()
	l := openLog(t, openDir(t, path), small())
	if l.End() < upTo {
		t.Fatalf("hit at %d: end %d, but batches up to %d were whole: %+v", hit, l.End(), upTo, l.Recovery())
	}
	for next := l.Start(); next < l.End(); {
		raw, err := l.Read(next, l.End(), 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		for b, err := range Batches(raw) {
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b, intact[b.BaseOffset()]) {
				t.Fatalf("hit at %d: batch at %d is not what was appended", hit, b.BaseOffset())
			}
			next = b.LastOffset() + 1
		}
	}
	lead(t, l, 9, 1)
}

func TestDamageCostsNothingBeforeItAndReturnsNothingBad(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 2))
		d := openDir(t, t.TempDir())
		l, _ := filled(t, d, small())
		intact := map[int64][]byte{}
		files := segmentFiles(t, l, ".log")
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for b, err := range Batches(raw) {
				if err != nil {
					t.Fatal(err)
				}
				intact[b.BaseOffset()] = b
			}
		}
		d.Close(false, nil)

		victim := files[r.IntN(len(files))]
		raw, err := os.ReadFile(victim)
		if err != nil {
			t.Fatal(err)
		}
		at := r.IntN(len(raw))
		if r.IntN(2) == 0 {
			raw = raw[:at]
		} else {
			raw[at] ^= 1 << r.IntN(8)
		}
		if err := os.WriteFile(victim, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		base, _ := offsetOf(filepath.Base(victim), ".log")
		upTo := base
		for b, err := range Batches(raw[:min(at, len(raw))]) {
			if err != nil {
				break
			}
			upTo = b.LastOffset() + 1
		}
		// The leader epoch and the base offset lie outside the CRC: a flip there may pass as a batch that is whole.
		if within := at - batchStart(intact, base, at); len(raw) > at && (within >= 12 && within < 16 || within < 8) {
			continue
		}
		checkDamaged(t, d.path, intact, int64(at), upTo)
	}
}

// batchStart is where the batch begins that covers a position of the segment at base.
func batchStart(intact map[int64][]byte, base int64, at int) (start int) {
	for b := intact[base]; start+len(b) <= at; b = intact[Batch(b).LastOffset()+1] {
		start += len(b)
	}
	return start
}

func TestIndexesAreRebuilt(t *testing.T) {
	for name, hurt := range map[string]func(path string) error{
		"missing": os.Remove,
		"short":   func(p string) error { return os.Truncate(p, 5) },
		"garbage": func(p string) error { return os.WriteFile(p, bytes.Repeat([]byte{0x7f}, 240), 0o644) },
	} {
		for _, suffix := range []string{".index", ".timeindex"} {
			d := openDir(t, t.TempDir())
			l, _ := filled(t, d, small())
			end := l.End()
			if err := d.Close(true, nil); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(segmentFiles(t, l, suffix)[1])
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range segmentFiles(t, l, suffix) {
				if err := hurt(f); err != nil {
					t.Fatal(err)
				}
			}
			l = openLog(t, openDir(t, d.path), small())
			if r := l.Recovery(); r.IndexesRebuilt != len(l.segments) || r.TruncatedBytes != 0 {
				t.Errorf("%s %s: %+v", name, suffix, r)
			}
			for from := range end {
				if got := contents(t, l, from, 200); !slices.Equal(got, sequence(from, end)) {
					t.Fatalf("%s %s: from %d: %v", name, suffix, from, got)
				}
			}
			after, _ := os.ReadFile(segmentFiles(t, l, suffix)[1])
			if !bytes.Equal(before, after) {
				t.Errorf("%s %s: rebuilt to %x, was %x", name, suffix, after, before)
			}
		}
	}
}

func TestAStartBeyondALostTailBeginsAnew(t *testing.T) {
	d := openDir(t, t.TempDir())
	l, _ := filled(t, d, DefaultConfig())
	if err := l.SetStart(50); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint(d, nil); err != nil {
		t.Fatal(err)
	}
	d.Close(false, nil)
	if err := os.Truncate(segmentFiles(t, l, ".log")[0], 200); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, openDir(t, d.path), DefaultConfig())
	if l.Start() != 50 || l.End() != 50 || l.Recovery().Reason == "" {
		t.Fatal(l.Start(), l.End(), l.Recovery())
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	d := openDir(t, t.TempDir())
	l, _ := filled(t, d, small())
	d.Close(true, nil)
	for _, f := range []string{"leader-epoch-checkpoint.tmp", name(7) + ".log.deleted", name(9999) + ".index", name(9999) + ".timeindex"} {
		if err := os.WriteFile(filepath.Join(l.path, f), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l = openLog(t, openDir(t, d.path), small())
	entries, _ := os.ReadDir(l.path)
	for _, e := range entries {
		if strings.Contains(e.Name(), "9999") || strings.HasSuffix(e.Name(), ".tmp") || strings.HasSuffix(e.Name(), ".deleted") {
			t.Errorf("%s is still there", e.Name())
		}
	}
}

// Whatever lies in a segment file, opening ends well and what is read is whole.
func FuzzRecovery(f *testing.F) {
	var whole []byte
	for i := range int64(3) {
		whole = append(whole, withOffset(records(2*i, 2), 2*i)...)
	}
	f.Add(whole, []byte{}, []byte{})
	f.Add(whole[:len(whole)-3], []byte{0, 0, 0, 1, 0, 0, 0, 9}, []byte("short"))
	f.Add([]byte("garbage that is longer than the sixty-one bytes of a header, so it may pass"), []byte{1}, []byte{2})
	f.Fuzz(func(t *testing.T, segment, index, snapshot []byte) {
		root := t.TempDir()
		folder := filepath.Join(root, "orders-0")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for suffix, content := range map[string][]byte{".log": segment, ".index": index, ".timeindex": index, ".snapshot": snapshot} {
			if err := os.WriteFile(filepath.Join(folder, name(0)+suffix), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		d := openDir(t, root)
		defer d.Close(false, nil)
		l := openLog(t, d, DefaultConfig())
		for next := l.Start(); next < l.End(); {
			raw, err := l.Read(next, l.End(), 1<<20, true)
			if err != nil || len(raw) == 0 {
				t.Fatalf("read at %d of %d: %d bytes, %v", next, l.End(), len(raw), err)
			}
			for b, err := range Batches(raw) {
				if err == nil {
					err = b.check()
				}
				if err != nil {
					t.Fatal(err)
				}
				next = b.LastOffset() + 1
			}
		}
		if _, _, _, _, err := l.OffsetForTime(0); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

// Records never panic and never run away, whatever the bytes and the codec.
func FuzzRecords(f *testing.F) {
	b := records(0, 3)
	f.Add([]byte(b[headerSize:]), uint8(0), int32(3))
	for codec := range uint8(5) {
		f.Add([]byte("\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x05hello"), codec, int32(1))
	}
	f.Fuzz(func(t *testing.T, body []byte, codec uint8, count int32) {
		b := append(slices.Clone(records(0, 1)[:headerSize]), body...)
		b[22] = codec & 7
		b[57], b[58], b[59], b[60] = byte(count>>24), byte(count>>16), byte(count>>8), byte(count)
		n := int32(0)
		for _, err := range b.Records() {
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatal(err)
				}
				return
			}
			n++
		}
		if count > 0 && n != count {
			t.Fatalf("%d records, %d announced", n, count)
		}
	})
}

// What frames as a batch has exactly its bytes.
func FuzzBatches(f *testing.F) {
	f.Add([]byte(append(records(0, 1), records(1, 2)...)))
	f.Add([]byte(records(0, 1)[:70]))
	f.Fuzz(func(t *testing.T, src []byte) {
		n := 0
		for b, err := range Batches(src) {
			if err != nil {
				if !damaged(err) {
					t.Fatal(err)
				}
				return
			}
			if b.Size() != len(b) || len(b) < headerSize {
				t.Fatalf("batch of %d bytes says %d", len(b), b.Size())
			}
			b.check()
			n += len(b)
		}
		if n != len(src) {
			t.Fatalf("%d of %d bytes", n, len(src))
		}
	})
}
