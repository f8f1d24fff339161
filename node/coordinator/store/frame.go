package store

import (
	"encoding/binary"
	"hash/crc32"
)

const frameHeader = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame puts payload into a frame at the end of b.
func appendFrame(b, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli))
	return append(b, payload...)
}

// cutFrame takes the first frame from b. If it is not whole, ok is false and rest is what its length says would
// follow it, nil if that is beyond the end.
func cutFrame(b []byte) (payload, rest []byte, ok bool) {
	if len(b) < frameHeader {
		return nil, nil, false
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n == 0 || n > uint64(len(b)-frameHeader) {
		return nil, nil, false
	}
	payload, rest = b[frameHeader:frameHeader+n], b[frameHeader+n:]
	return payload, rest, crc32.Checksum(payload, castagnoli) == binary.BigEndian.Uint32(b[4:])
}
