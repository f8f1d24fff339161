package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Config says where and how much to keep.
type Config struct {
	LogDir       string        // segments
	SnapshotDir  string        // snapshots; may be the same
	SegmentBytes int64         // a segment longer than this is followed by a new one
	Trailing     uint64        // entries before a snapshot that stay for followers that lag a little
	Snapshots    int           // snapshots that stay, at least 1
	PurgeEvery   time.Duration // least time between two removals of old snapshots and segments; [Never] keeps all
	SlowSync     time.Duration // a sync that takes longer is counted and told; below 0: all are
	Log          *slog.Logger
}

// Never is a PurgeEvery.
const Never time.Duration = -1

// trailingBytes bounds the memory that Trailing entries may hold.
const trailingBytes = 4 << 20

// reserveBytes is how far ahead of its content a segment grows.
const reserveBytes = 512 << 10

// Store is the Raft log of one node. It embeds the part of it that is in memory, which Raft reads.
type Store struct {
	*raft.MemoryStorage

	cfg   Config
	slow  atomic.Int64      // syncs that took too long
	state *raftpb.HardState // as it was found
	conf  *raftpb.ConfState // as it was at the snapshot that was found

	mu       sync.Mutex // guards the file; held by Append and while files are removed
	file     *os.File
	size     int64     // of the frames in it
	reserved int64     // of the file: beyond size there are zeros
	segments []segment // the last one is the file
	frame    []byte    // scratch
	latest   *raftpb.HardState
	purged   time.Time // when files were removed last; only SaveSnapshot knows it
	failed   error     // once writing has failed nothing is written any more

	// A changed commit index alone need not be durable. It waits here for the next frame, so that a frame is
	// only ever written behind a durable one.
	waiting *raftpb.HardState
}

// Open reads the folders, which it creates if need be. genesis are the nodes of a fresh ensemble: who belongs to it
// later is part of its snapshots.
func Open(cfg Config, genesis *raftpb.ConfState) (*Store, Recovery, error) {
	for _, dir := range []string{cfg.LogDir, cfg.SnapshotDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, Recovery{}, err
		}
	}
	snap, skipped, err := newestSnapshot(cfg.SnapshotDir)
	if err != nil {
		return nil, Recovery{}, err
	}
	h, err := readLog(cfg.LogDir)
	if err != nil {
		return nil, Recovery{}, err
	}
	entries, err := h.after(snap.mark)
	if err != nil {
		return nil, Recovery{}, fmt.Errorf("%s: %w", cfg.LogDir, err)
	}
	if h.state, err = committed(h.state, snap.index, uint64(len(entries))); err != nil {
		return nil, Recovery{}, fmt.Errorf("%s: %w", cfg.LogDir, err)
	}
	s := &Store{MemoryStorage: raft.NewMemoryStorage(), cfg: cfg, state: h.state, conf: genesis, latest: h.state}
	if snap.conf != nil {
		s.conf = snap.conf
	}
	if snap.index > 0 {
		if err := s.MemoryStorage.ApplySnapshot(meta(snap.mark, s.conf)); err != nil {
			return nil, Recovery{}, err
		}
	}
	if err := s.MemoryStorage.Append(entries); err != nil {
		return nil, Recovery{}, err
	}
	if err := s.SetHardState(s.state); err != nil {
		return nil, Recovery{}, err
	}
	found := Recovery{SnapshotIndex: snap.index, SkippedSnapshots: skipped, Entries: len(entries), TruncatedBytes: h.cut}
	if h.cut > 0 {
		found.TruncatedFile = filepath.Join(cfg.LogDir, fileName("log", h.segments[len(h.segments)-1].number))
	}
	if err := s.openSegment(h); err != nil {
		return nil, Recovery{}, err
	}
	if len(entries) == 0 && h.disagrees(snap.mark) { // what is appended next continues the snapshot, not what stands there
		s.reached(snap.index)
		if err := s.write(appendMark(nil, snap.mark)); err != nil {
			return nil, Recovery{}, err
		}
	}
	return s, found, nil
}

// openSegment cuts a torn tail off the last segment and continues it.
func (s *Store) openSegment(h *history) error {
	s.segments = h.segments
	if len(s.segments) == 0 {
		return s.roll()
	}
	var err error
	s.file, err = os.OpenFile(filepath.Join(s.cfg.LogDir, fileName("log", s.segments[len(s.segments)-1].number)), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err = s.file.Truncate(h.end); err == nil {
		err = s.file.Sync()
	}
	s.size, s.reserved = h.end, h.end
	return err
}

// roll starts a new segment.
func (s *Store) roll() error {
	number := uint64(1)
	if len(s.segments) > 0 {
		number = s.segments[len(s.segments)-1].number + 1
	}
	f, err := os.OpenFile(filepath.Join(s.cfg.LogDir, fileName("log", number)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if err := syncDir(s.cfg.LogDir); err != nil {
		return errors.Join(err, f.Close())
	}
	if s.file != nil {
		if err := errors.Join(s.file.Truncate(s.size), s.file.Close()); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	s.file, s.size, s.reserved = f, 0, 0
	s.segments = append(s.segments, segment{number: number})
	// Older segments may be removed: the new one has to know the vote.
	if s.latest != nil {
		return s.write(appendState(nil, s.latest))
	}
	return nil
}

// write puts payload at the end of the log and syncs it.
func (s *Store) write(payload []byte) error {
	s.frame = appendFrame(s.frame[:0], payload)
	if err := s.reserve(s.size + int64(len(s.frame))); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(s.frame, s.size); err != nil {
		return err
	}
	s.size += int64(len(s.frame))
	if cap(s.frame) > 1<<20 {
		s.frame = nil
	}
	return s.sync()
}

// reserve makes the file at least size bytes long, with zeros that are on disk: to sync what overwrites them takes no
// change of the file system's own records, which is most of what a sync costs.
func (s *Store) reserve(size int64) error {
	if size <= s.reserved {
		return nil
	}
	zeros := make([]byte, 32<<10)
	for end := max(size, s.reserved+reserveBytes); s.reserved < end; {
		n, err := s.file.WriteAt(zeros[:min(end-s.reserved, int64(len(zeros)))], s.reserved)
		if s.reserved += int64(n); err != nil {
			return err
		}
	}
	return s.file.Sync()
}

// Batch is what Raft wants to be durable at once.
type Batch struct {
	State    *raftpb.HardState
	Entries  []*raftpb.Entry
	Snapshot *raftpb.Snapshot // from the leader
}

// Append makes batches durable, in their order, with one sync; with none if all they bring is a commit index.
func (s *Store) Append(batches []Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	if err := s.append(batches); err != nil {
		s.failed = fmt.Errorf("write-ahead log %s: %w", s.cfg.LogDir, err)
		return s.failed
	}
	return nil
}

func (s *Store) append(batches []Batch) error {
	var payload []byte
	var entries []*raftpb.Entry
	sync := false
	flush := func() error {
		if s.waiting != nil {
			payload = appendState(payload, s.waiting)
			s.waiting = nil
		}
		if len(payload) == 0 {
			return nil
		}
		if err := s.write(payload); err != nil {
			return err
		}
		payload = payload[:0]
		return s.MemoryStorage.Append(entries)
	}
	for _, b := range batches {
		sync = sync || len(b.Entries) > 0 || s.votes(b.State)
		if !raft.IsEmptySnap(b.Snapshot) {
			if err := flush(); err != nil {
				return err
			}
			entries = nil
			if err := s.install(b.Snapshot); err != nil {
				return err
			}
		}
		if !raft.IsEmptyHardState(b.State) { // after the snapshot, since it says that all of that is committed
			s.waiting, s.latest = b.State, b.State
		}
		for _, e := range b.Entries {
			payload = appendEntry(payload, e)
			s.reached(e.GetIndex())
		}
		entries = appendTail(entries, b.Entries)
	}
	if !sync {
		return nil
	}
	if err := flush(); err != nil {
		return err
	}
	if s.size > s.cfg.SegmentBytes {
		return s.roll()
	}
	return nil
}

// votes says whether a state differs from the one before in more than its commit index, which Raft finds again by itself.
func (s *Store) votes(next *raftpb.HardState) bool {
	return !raft.IsEmptyHardState(next) && (s.latest == nil || next.GetTerm() != s.latest.GetTerm() || next.GetVote() != s.latest.GetVote())
}

// reached notes that the current segment mentions index.
func (s *Store) reached(index uint64) {
	now := &s.segments[len(s.segments)-1]
	now.last = max(now.last, index)
}

// appendTail adds next to entries, in the place of what it overlaps.
func appendTail(entries, next []*raftpb.Entry) []*raftpb.Entry {
	if len(entries) > 0 && len(next) > 0 {
		if first := entries[0].GetIndex(); next[0].GetIndex() >= first {
			entries = entries[:min(uint64(len(entries)), next[0].GetIndex()-first)]
		} else {
			entries = nil
		}
	}
	return append(entries, next...)
}

// install keeps a snapshot that the leader sent.
func (s *Store) install(snap *raftpb.Snapshot) error {
	m := mark{snap.GetMetadata().GetIndex(), snap.GetMetadata().GetTerm()}
	conf := snap.GetMetadata().GetConfState()
	if err := s.writeSnapshot(m, conf, snap.GetData()); err != nil {
		return err
	}
	s.reached(m.index)
	if err := s.write(appendMark(nil, m)); err != nil {
		return err
	}
	return s.MemoryStorage.ApplySnapshot(meta(m, conf))
}

// InitialState implements raft.Storage.
func (s *Store) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return s.state, s.conf, nil
}

// Snapshot implements raft.Storage: it reads the newest snapshot from disk.
func (s *Store) Snapshot() (*raftpb.Snapshot, error) {
	found, _, err := newestSnapshot(s.cfg.SnapshotDir)
	if err != nil || found.index == 0 {
		s.cfg.Log.Warn("no snapshot to send", "err", err)
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	snap := meta(found.mark, found.conf)
	if found.conf == nil {
		snap.Metadata.ConfState = s.conf
	}
	snap.Data = found.data
	return snap, nil
}

// Latest returns the state of the newest snapshot and its index, nil and 0 if there is none.
func (s *Store) Latest() ([]byte, uint64, error) {
	found, _, err := newestSnapshot(s.cfg.SnapshotDir)
	return found.data, found.index, err
}

func meta(m mark, conf *raftpb.ConfState) *raftpb.Snapshot {
	return &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
		Index: proto.Uint64(m.index), Term: proto.Uint64(m.term), ConfState: conf,
	}}
}

// Close syncs and closes the log.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.waiting != nil && s.failed == nil {
		err = s.write(appendState(nil, s.waiting))
	}
	if s.failed == nil {
		s.failed = os.ErrClosed
	}
	return errors.Join(err, s.file.Truncate(s.size), s.file.Close())
}

// SaveSnapshot keeps data, the state after entry index, with the nodes of the ensemble as they are then, and removes
// what it makes needless. If the nodes have changed since the last one (whole), no earlier entry stays: who joins has to
// begin with this snapshot.
func (s *Store) SaveSnapshot(index uint64, conf *raftpb.ConfState, data []byte, whole bool) error {
	term, err := s.Term(index)
	if errors.Is(err, raft.ErrCompacted) {
		return nil // the leader has sent a newer one meanwhile
	}
	if err != nil {
		return fmt.Errorf("snapshot at %d: %w", index, err)
	}
	if err := s.writeSnapshot(mark{index, term}, conf, data); err != nil {
		return fmt.Errorf("snapshot in %s: %w", s.cfg.SnapshotDir, err)
	}
	trailing := uint64(0)
	if !whole {
		trailing = s.trailing(index)
	}
	if err := s.Compact(index - trailing); err != nil && !errors.Is(err, raft.ErrCompacted) {
		return err
	}
	if s.cfg.PurgeEvery == Never || time.Since(s.purged) < s.cfg.PurgeEvery {
		return nil
	}
	s.purged = time.Now()
	return s.purge()
}

// trailing counts the entries up to index that stay in memory for followers that lag a little.
func (s *Store) trailing(index uint64) uint64 {
	first, err := s.FirstIndex()
	if err != nil || first > index {
		return 0
	}
	entries, err := s.Entries(first, index+1, math.MaxUint64)
	if err != nil {
		return 0
	}
	count, size := uint64(0), 0
	for _, e := range slices.Backward(entries) {
		if size += len(e.GetData()); count == s.cfg.Trailing || size > trailingBytes {
			break
		}
		count++
	}
	return count
}

func (s *Store) writeSnapshot(m mark, conf *raftpb.ConfState, data []byte) error {
	nodes, err := proto.Marshal(conf)
	if err != nil {
		return err
	}
	head := make([]byte, 0, 32+len(nodes))
	head = binary.BigEndian.AppendUint64(head, m.index|hasNodes)
	head = binary.BigEndian.AppendUint64(head, m.term)
	head = binary.AppendUvarint(head, uint64(len(nodes)))
	head = append(head, nodes...)
	// The frame of both, without a copy of the state, which may be large.
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(head)+len(data)))
	frame = binary.BigEndian.AppendUint32(frame, crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, data))
	return replaceFile(s.cfg.SnapshotDir, fileName("snapshot", m.index), append(frame, head...), data)
}

// purge removes the oldest snapshots, and the segments that no remaining snapshot needs.
func (s *Store) purge() error {
	snapshots, err := files(s.cfg.SnapshotDir, "snapshot")
	if err != nil {
		return err
	}
	for len(snapshots) > max(1, s.cfg.Snapshots) {
		if err := os.Remove(filepath.Join(s.cfg.SnapshotDir, fileName("snapshot", snapshots[0]))); err != nil {
			return err
		}
		snapshots = snapshots[1:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.segments) > 1 && s.segments[0].last <= snapshots[0] {
		if err := os.Remove(filepath.Join(s.cfg.LogDir, fileName("log", s.segments[0].number))); err != nil {
			return err
		}
		s.segments = s.segments[1:]
	}
	return nil
}

// replaceFile writes a file so that it is there whole or not at all.
func replaceFile(dir, name string, content ...[]byte) error {
	f, err := os.CreateTemp(dir, name+".*.tmp")
	if err != nil {
		return err
	}
	for _, part := range content {
		if err == nil {
			_, err = f.Write(part)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
