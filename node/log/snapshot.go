package log

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// A producer snapshot, <offset>.snapshot, is the state of all producers just before that offset:
//
//	version int16 (1), crc uint32 (CRC-32C of what follows), count int32, then of each producer
//	id int64, epoch int16, last sequence int32, last offset int64, offset delta int32,
//	timestamp int64, coordinator epoch int32, first offset of the open transaction int64
//
// Of a producer's batches only the last is kept; the others come back from the log before that offset (recall).
const (
	snapshotVersion = 1
	snapshotHeader  = 2 + 4 + 4
	snapshotEntry   = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8
)

func encodeSnapshot(ps producers) []byte {
	b := make([]byte, 0, snapshotHeader+len(ps)*snapshotEntry)
	b = binary.BigEndian.AppendUint16(b, snapshotVersion)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(ps)))
	for _, id := range slices.Sorted(maps.Keys(ps)) {
		p := ps[id]
		last := sent{lastSequence: -1, lastOffset: -1, timestamp: p.timestamp}
		if n := len(p.batches); n > 0 {
			last = p.batches[n-1]
		}
		b = binary.BigEndian.AppendUint64(b, uint64(id))
		b = binary.BigEndian.AppendUint16(b, uint16(p.epoch))
		b = binary.BigEndian.AppendUint32(b, uint32(last.lastSequence))
		b = binary.BigEndian.AppendUint64(b, uint64(last.lastOffset))
		b = binary.BigEndian.AppendUint32(b, uint32(last.delta))
		b = binary.BigEndian.AppendUint64(b, uint64(p.timestamp))
		b = binary.BigEndian.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = binary.BigEndian.AppendUint64(b, uint64(p.txnFirstOffset))
	}
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	return b
}

func decodeSnapshot(b []byte) (producers, error) {
	if len(b) < snapshotHeader {
		return nil, fmt.Errorf("snapshot of %d bytes", len(b))
	}
	if v := binary.BigEndian.Uint16(b); v != snapshotVersion {
		return nil, fmt.Errorf("snapshot version %d", v)
	}
	if sum := crc32.Checksum(b[6:], castagnoli); sum != binary.BigEndian.Uint32(b[2:]) {
		return nil, fmt.Errorf("snapshot CRC is %08x, stored is %08x", sum, binary.BigEndian.Uint32(b[2:]))
	}
	n := int64(int32(binary.BigEndian.Uint32(b[6:])))
	b = b[snapshotHeader:]
	if n < 0 || n*snapshotEntry != int64(len(b)) {
		return nil, fmt.Errorf("snapshot of %d producers has %d bytes", n, len(b))
	}
	ps := make(producers, n)
	for ; len(b) > 0; b = b[snapshotEntry:] {
		p := producer{
			epoch:            int16(binary.BigEndian.Uint16(b[8:])),
			timestamp:        int64(binary.BigEndian.Uint64(b[26:])),
			coordinatorEpoch: int32(binary.BigEndian.Uint32(b[34:])),
			txnFirstOffset:   int64(binary.BigEndian.Uint64(b[38:])),
		}
		last := sent{
			lastSequence: int32(binary.BigEndian.Uint32(b[10:])),
			lastOffset:   int64(binary.BigEndian.Uint64(b[14:])),
			delta:        int32(binary.BigEndian.Uint32(b[22:])),
			timestamp:    p.timestamp,
		}
		if last.lastSequence >= 0 && last.delta >= 0 {
			p.batches = []sent{last}
		}
		ps[int64(binary.BigEndian.Uint64(b))] = p
	}
	return ps, nil
}

// snapshots lists the offsets of the snapshots in a folder, newest first.
func snapshots(folder string) ([]int64, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, storage("listed "+folder, err)
	}
	var offsets []int64
	for _, e := range entries {
		if offset, ok := offsetOf(e.Name(), ".snapshot"); ok {
			offsets = append(offsets, offset)
		}
	}
	slices.SortFunc(offsets, func(a, b int64) int { return cmp.Compare(b, a) })
	return offsets, nil
}

func (l *Log) snapshotPath(offset int64) string {
	return filepath.Join(l.path, name(offset)+".snapshot")
}
