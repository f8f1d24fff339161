package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// snapshot is what a snapshot file begins with.
type snapshot struct {
	mark
	conf *raftpb.ConfState // nil if the file is of a time when it was not written down
	path string
	head int64 // bytes before the state
}

// hasNodes is set in the index of a snapshot that says which nodes there were.
const hasNodes = 1 << 63

// headMax is more than what stands before the state takes.
const headMax = 64 << 10

var errNotWhole = errors.New("not whole")

// readHead reads what stands before the state in a snapshot file, which is one frame of
//
//	uint64 index | uint64 term | uvarint length | ConfState of Raft | state
func readHead(path string) (snapshot, error) {
	f, err := os.Open(path)
	if err != nil {
		return snapshot{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, headMax))
	if err != nil {
		return snapshot{}, err
	}
	if len(b) < frameHeader+16 {
		return snapshot{}, fmt.Errorf("%s: %w", path, errNotWhole)
	}
	payload := b[frameHeader:]
	index, term := binary.BigEndian.Uint64(payload), binary.BigEndian.Uint64(payload[8:])
	found := snapshot{mark: mark{index &^ hasNodes, term}, path: path, head: frameHeader + 16}
	if index&hasNodes == 0 {
		return found, nil
	}
	r := &reader{b: payload[16:]}
	nodes := r.bytes(r.uvarint())
	found.conf, found.head = &raftpb.ConfState{}, int64(len(b)-len(r.b))
	if r.bad || proto.Unmarshal(nodes, found.conf) != nil {
		return snapshot{}, fmt.Errorf("%s is unreadable", path)
	}
	return found, nil
}

// checkWhole says whether what comes from r is a whole snapshot file.
func checkWhole(r io.Reader) error {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return errNotWhole
	}
	length := int64(binary.BigEndian.Uint32(head[:]))
	sum := crc32.New(castagnoli)
	n, err := io.Copy(sum, io.LimitReader(r, length))
	if err != nil {
		return err
	}
	if n < length || sum.Sum32() != binary.BigEndian.Uint32(head[4:]) {
		return errNotWhole
	}
	return nil
}

// newestSnapshot finds the newest snapshot that is whole and names those that are not.
func newestSnapshot(dir string) (found snapshot, skipped []string, err error) {
	numbers, err := files(dir, "snapshot")
	if err != nil {
		return found, nil, err
	}
	for _, n := range slices.Backward(numbers) {
		path := filepath.Join(dir, fileName("snapshot", n))
		if found, err = readWhole(path); err == nil {
			return found, skipped, nil
		}
		skipped = append(skipped, path)
	}
	return snapshot{}, skipped, nil
}

func readWhole(path string) (snapshot, error) {
	f, err := os.Open(path)
	if err != nil {
		return snapshot{}, err
	}
	defer f.Close()
	if err := checkWhole(f); err != nil {
		return snapshot{}, fmt.Errorf("%s: %w", path, err)
	}
	return readHead(path)
}

// snapshotWriter writes one file, whose frame is finished last: nobody knows before how long it is.
type snapshotWriter struct {
	to     io.Writer
	sum    hash.Hash32
	length int64
}

func (w *snapshotWriter) Write(b []byte) (int, error) {
	n, err := w.to.Write(b)
	w.sum.Write(b[:n])
	w.length += int64(n)
	return n, err
}

// writeState writes a snapshot file to f.
func writeState(f *os.File, m mark, conf *raftpb.ConfState, state io.WriterTo) error {
	nodes, err := proto.Marshal(conf)
	if err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint64(nil, m.index|hasNodes)
	head = binary.BigEndian.AppendUint64(head, m.term)
	head = binary.AppendUvarint(head, uint64(len(nodes)))
	head = append(head, nodes...)
	buffered := bufio.NewWriterSize(&steady{file: f}, 256<<10)
	if _, err := buffered.Write(make([]byte, frameHeader)); err != nil {
		return err
	}
	w := &snapshotWriter{to: buffered, sum: crc32.New(castagnoli)}
	if _, err := w.Write(head); err != nil {
		return err
	}
	if _, err := state.WriteTo(w); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	if w.length > math.MaxUint32 {
		return fmt.Errorf("the state takes %d bytes, more than the 4 GB of a snapshot", w.length)
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(w.length))
	frame = binary.BigEndian.AppendUint32(frame, w.sum.Sum32())
	_, err = f.WriteAt(frame, 0)
	return err
}

// steady has a large file go to disk little by little: all at once would be in the way of the log.
type steady struct {
	file    *os.File
	pending int
}

const steadyBytes = 4 << 20

func (s *steady) Write(b []byte) (int, error) {
	n, err := s.file.Write(b)
	if s.pending += n; err == nil && s.pending >= steadyBytes {
		s.pending = 0
		err = datasync(s.file)
	}
	return n, err
}
