package log

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// lz4Checksum sets the checksum of an LZ4 frame's header. In message format 0 Kafka's clients compute it wrongly, over
// the frame's magic number, too (KAFKA-3160): that is wanted with wrong.
//
//	0 magic uint32 | 4 flags | 5 block size | 6 content size, 8 bytes, if flag 3 is set | checksum, 1 byte
func lz4Checksum(frame []byte, wrong bool) []byte {
	const contentSize = 1 << 3
	if len(frame) < 7 {
		return frame
	}
	end := 6
	if frame[4]&contentSize != 0 {
		end = 14
	}
	if len(frame) <= end {
		return frame
	}
	start := 4
	if wrong {
		start = 0
	}
	out := slices.Clone(frame)
	out[end] = byte(xxh32(out[start:end]) >> 8)
	return out
}

// xxh32 is the hash of LZ4 frames, with seed 0, of fewer than 16 bytes.
func xxh32(src []byte) uint32 {
	const p1, p2, p3, p4, p5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
	h := uint32(p5) + uint32(len(src))
	for ; len(src) >= 4; src = src[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(src)*p3, 17) * p4
	}
	for _, b := range src {
		h = bits.RotateLeft32(h+uint32(b)*p5, 11) * p1
	}
	h = (h ^ h>>15) * p2
	h = (h ^ h>>13) * p3
	return h ^ h>>16
}
