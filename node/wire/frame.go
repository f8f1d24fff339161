package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// firstRead bounds what a frame's size alone makes us allocate; more follows as bytes arrive.
const firstRead = 64 << 10

// readFrame reads one frame into buf, which it may replace by a larger one, and returns its payload.
// io.EOF means that the peer closed the connection between two frames.
func readFrame(r io.Reader, buf []byte, most int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	if size < 0 || size > most {
		return nil, malformed("frame of %d bytes, most is %d", size, most)
	}
	if size <= max(cap(buf), firstRead) {
		if size > cap(buf) {
			buf = make([]byte, size)
		}
		buf = buf[:size]
		if _, err := io.ReadFull(r, buf); err != nil {
			return nil, cutShort(err)
		}
		return buf, nil
	}
	grown := bytes.NewBuffer(buf[:0])
	if _, err := io.CopyN(grown, r, int64(size)); err != nil {
		return nil, cutShort(err)
	}
	return grown.Bytes(), nil
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
