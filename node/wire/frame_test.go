package wire

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
)

func TestAPayloadIsReadWhole(t *testing.T) {
	for _, size := range []int{0, 1, 100, firstRead, firstRead + 1, 5*firstRead + 7} {
		for _, room := range []int{0, 50, firstRead, 3 * firstRead} {
			want := make([]byte, size)
			for i := range want {
				want[i] = byte(i * 31)
			}
			in := bytes.NewReader(append(bytes.Clone(want), "next"...))
			buf := make([]byte, room)
			got, err := readPayload(in, buf, size)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes into %d: %d came, %v", size, room, len(got), err)
			}
			if in.Len() != len("next") {
				t.Errorf("%d bytes into %d: %d are left, want those of the next frame", size, room, in.Len())
			}
			if size > 0 && size <= room && &got[0] != &buf[0] {
				t.Errorf("%d bytes fit into %d, and were read elsewhere", size, room)
			}
		}
	}
}

// A size is only a promise.
func TestMemoryFollowsWhatArrives(t *testing.T) {
	sent := firstRead + 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readPayload(io.LimitReader(zeros{}, int64(sent)), nil, 1<<30); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame that was cut short: %v", err)
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 6*firstRead {
		t.Errorf("%d bytes allocated for %d that came", allocated, sent)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestABufferThatIsTooLargeForLongIsDropped(t *testing.T) {
	c := &Client{}
	large, small := make([]byte, firstRead), 100
	c.keep(large)
	for i := range mostSpare - 1 {
		if cap(c.fetched) != firstRead {
			t.Fatalf("dropped after %d small replies", i)
		}
		frame := c.fetched[:small]
		c.fetched = nil
		c.keep(frame)
	}
	if c.keep(c.replace(large)); cap(c.fetched) != firstRead {
		t.Fatal("dropped though it was needed")
	}
	for range mostSpare {
		c.keep(c.replace(large[:small]))
	}
	if c.fetched != nil {
		t.Errorf("%d bytes are kept for replies of %d", cap(c.fetched), small)
	}
	if c.keep(make([]byte, small)); c.fetched == nil {
		t.Error("a small buffer is dropped")
	}
}

// replace takes the kept buffer, as reading does, and gives the frame that was read.
func (c *Client) replace(frame []byte) []byte {
	c.fetched = nil
	return frame
}
