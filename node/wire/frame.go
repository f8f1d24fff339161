package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// firstRead bounds what a frame's size alone makes us allocate; more follows as bytes arrive. Most frames fit.
const firstRead = 4 << 20

// readFrame reads one frame into buf, which it may replace by a larger one, and returns its payload.
// io.EOF means that the peer closed the connection between two frames.
func readFrame(r io.Reader, buf []byte, most int) ([]byte, error) {
	size, err := readSize(r, most)
	if err != nil {
		return nil, err
	}
	return readPayload(r, buf, size)
}

func readSize(r io.Reader, most int) (int, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	if size < 0 || size > most {
		return 0, malformed("frame of %d bytes, most is %d", size, most)
	}
	return size, nil
}

// readPayload reads size bytes into buf, which grows fourfold as bytes arrive if they do not fit.
func readPayload(r io.Reader, buf []byte, size int) ([]byte, error) {
	have := 0
	for {
		next := min(size, max(4*have, firstRead, cap(buf)))
		if next > cap(buf) {
			grown := make([]byte, next)
			copy(grown, buf[:have])
			buf = grown
		}
		buf = buf[:next]
		if _, err := io.ReadFull(r, buf[have:]); err != nil {
			return nil, cutShort(err)
		}
		if have = next; have == size {
			return buf, nil
		}
	}
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// beginFrame reserves the size; endFrame fills it in.
func beginFrame(dst []byte) []byte { return append(dst[:0], 0, 0, 0, 0) }

func endFrame(frame []byte) []byte {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// malformedError is a frame that is not Kafka's protocol, as opposed to a connection that broke.
type malformedError struct{ error }

func malformed(format string, args ...any) error {
	return malformedError{fmt.Errorf(format, args...)}
}
