package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
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

	newest atomic.Pointer[raftpb.Snapshot] // on disk; nil if there is none

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
	if err := removeUnfinished(cfg.SnapshotDir); err != nil {
		return nil, Recovery{}, err
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
		s.saved(meta(snap.mark, s.conf))
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
	Snapshot *raftpb.Snapshot // from the leader; its data is the name that Receive gave it
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

// InitialState implements raft.Storage.
func (s *Store) InitialState() (*raftpb.HardState, *raftpb.ConfState, error) {
	return s.state, s.conf, nil
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

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
