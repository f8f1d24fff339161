package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Snapshot implements raft.Storage. The state is not in it, it may be large: see [Store.OpenSnapshot].
func (s *Store) Snapshot() (*raftpb.Snapshot, error) {
	newest := s.newest.Load()
	if newest == nil {
		s.cfg.Log.Warn("no snapshot to send")
		return nil, raft.ErrSnapshotTemporarilyUnavailable
	}
	return proto.CloneOf(newest), nil
}

// Latest is the index of the newest snapshot, 0 if there is none.
func (s *Store) Latest() uint64 { return s.newest.Load().GetMetadata().GetIndex() }

// saved notes that a snapshot is on disk.
func (s *Store) saved(snap *raftpb.Snapshot) {
	for {
		was := s.newest.Load()
		if was.GetMetadata().GetIndex() >= snap.GetMetadata().GetIndex() || s.newest.CompareAndSwap(was, snap) {
			return
		}
	}
}

// State opens the state that a snapshot holds and says how many bytes it has.
func (s *Store) State(index uint64) (io.ReadCloser, int64, error) {
	f, size, err := s.OpenSnapshot(index)
	if err != nil {
		return nil, 0, err
	}
	head, err := readHead(f.Name())
	if err == nil {
		_, err = f.Seek(head.head, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size - head.head, nil
}

// OpenSnapshot opens the file of a snapshot, which is sent to another node as it is.
func (s *Store) OpenSnapshot(index uint64) (*os.File, int64, error) {
	f, err := os.Open(filepath.Join(s.cfg.SnapshotDir, fileName("snapshot", index)))
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// Receive keeps a snapshot file of size bytes that comes from another node. It counts once its name is the data of a
// snapshot in a [Batch]; if it never will be, it is for [Store.Discard].
func (s *Store) Receive(r io.Reader, size int64) (name string, err error) {
	f, err := os.CreateTemp(s.cfg.SnapshotDir, "snapshot.*.tmp")
	if err != nil {
		return "", err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	to := bufio.NewWriterSize(&steady{file: f}, 256<<10)
	from := io.TeeReader(io.LimitReader(r, size), to)
	if err := checkWhole(from); err != nil {
		return "", err
	}
	if err := errors.Join(to.Flush(), f.Sync()); err != nil {
		return "", err
	}
	return filepath.Base(f.Name()), nil
}

// Discard removes what Receive has kept in vain.
func (s *Store) Discard(name string) {
	if err := os.Remove(filepath.Join(s.cfg.SnapshotDir, name)); err != nil {
		s.cfg.Log.Warn("remove a snapshot that is not needed", "err", err)
	}
}

// removeUnfinished removes what a node that died was writing.
func removeUnfinished(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "snapshot*.tmp"))
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

// install makes a snapshot that was received the newest one.
func (s *Store) install(snap *raftpb.Snapshot) error {
	m := mark{snap.GetMetadata().GetIndex(), snap.GetMetadata().GetTerm()}
	received := filepath.Join(s.cfg.SnapshotDir, string(snap.GetData()))
	found, err := readHead(received)
	if err != nil {
		return err
	}
	if found.mark != m {
		return fmt.Errorf("snapshot at %d of term %d instead of one at %d of term %d", found.index, found.term, m.index, m.term)
	}
	if err := os.Rename(received, filepath.Join(s.cfg.SnapshotDir, fileName("snapshot", m.index))); err != nil {
		return err
	}
	if err := syncDir(s.cfg.SnapshotDir); err != nil {
		return err
	}
	s.reached(m.index)
	if err := s.write(appendMark(nil, m)); err != nil {
		return err
	}
	installed := meta(m, snap.GetMetadata().GetConfState())
	s.saved(installed)
	return s.MemoryStorage.ApplySnapshot(installed)
}

func meta(m mark, conf *raftpb.ConfState) *raftpb.Snapshot {
	return &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
		Index: proto.Uint64(m.index), Term: proto.Uint64(m.term), ConfState: conf,
	}}
}

// SaveSnapshot keeps the state after entry index, with the nodes of the ensemble as they are then, and removes
// what it makes needless. If the nodes have changed since the last one (whole), no earlier entry stays: who joins has to
// begin with this snapshot.
func (s *Store) SaveSnapshot(index uint64, conf *raftpb.ConfState, state io.WriterTo, whole bool) error {
	term, err := s.Term(index)
	if errors.Is(err, raft.ErrCompacted) {
		return nil // the leader has sent a newer one meanwhile
	}
	if err != nil {
		return fmt.Errorf("snapshot at %d: %w", index, err)
	}
	if err := s.writeSnapshot(mark{index, term}, conf, state); err != nil {
		return fmt.Errorf("snapshot in %s: %w", s.cfg.SnapshotDir, err)
	}
	s.saved(meta(mark{index, term}, conf))
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

// writeSnapshot writes a file so that it is there whole or not at all.
func (s *Store) writeSnapshot(m mark, conf *raftpb.ConfState, state io.WriterTo) error {
	name := fileName("snapshot", m.index)
	f, err := os.CreateTemp(s.cfg.SnapshotDir, name+".*.tmp")
	if err != nil {
		return err
	}
	if err = writeState(f, m, conf, state); err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.cfg.SnapshotDir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(s.cfg.SnapshotDir)
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
