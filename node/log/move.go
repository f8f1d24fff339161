package log

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// futureSuffix ends the folder of a partition that is being copied into another directory:
// orders-0.0123456789abcdef0123456789abcdef-future.
const futureSuffix = "-future"

// apart names a folder beside a partition's own. The topic is cut where the name would become longer than file systems
// have them.
func (tp TopicPartition) apart(suffix string) string {
	const longest = 255
	var id [16]byte
	rand.Read(id[:])
	end := fmt.Sprintf("-%d.%s%s", tp.Partition, hex.EncodeToString(id[:]), suffix)
	return tp.Topic[:min(len(tp.Topic), longest-len(end))] + end
}

// A Future is a log's copy in another directory, which takes its place once it is complete.
type Future struct {
	log  *Log // that moves
	next *Log
	cuts int // of log when the copy began: what was copied before a truncation may be wrong
}

// errCut tells that the log lost its end while it was copied.
var errCut = errors.New("log was truncated meanwhile")

// MoveTo begins a copy of a log in another directory of the same broker.
func (l *Log) MoveTo(d *Dir) (*Future, error) {
	path := filepath.Join(d.path, l.tp.apart(futureSuffix))
	cfg := l.Config()
	f := &Future{log: l, next: &Log{tp: l.tp, dir: d, path: path, ps: producers{}}}
	f.next.config.Store(&cfg)
	l.mu.RLock()
	f.cuts = l.cuts
	start, topicID := l.start, l.topicID
	l.mu.RUnlock()
	err := f.next.open(false, offsets{})
	if err == nil {
		err = f.next.Reset(start)
	}
	if err == nil {
		err = f.next.SetTopicID(topicID)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy %s to %s: %w", l.tp, d.path, err), os.RemoveAll(path))
	}
	return f, nil
}

// Dir is where the log is copied to.
func (f *Future) Dir() *Dir { return f.next.dir }

// Size is how many bytes were copied, Behind how many records were not.
func (f *Future) Size() int64   { return f.next.Size() }
func (f *Future) Behind() int64 { return max(f.log.End()-f.next.End(), 0) }

// Copy copies up to most bytes, at least one batch, and returns how many it were: 0 once everything is there.
func (f *Future) Copy(most int) (n int, err error) {
	f.log.mu.RLock()
	end, cuts, closed := f.log.end, f.log.cuts, f.log.closed
	f.log.mu.RUnlock()
	switch {
	case closed:
		return 0, ErrClosed
	case cuts != f.cuts:
		return 0, errCut
	case f.next.End() >= end:
		return 0, nil
	}
	from := max(f.next.End(), f.log.Start())
	if from > f.next.End() { // old segments went meanwhile
		if err := f.next.Reset(from); err != nil {
			return 0, err
		}
	}
	batches, err := f.log.Read(from, end, most, true)
	if err != nil || len(batches) == 0 {
		return 0, err
	}
	_, err = f.next.AppendFollower(batches, math.MaxInt32)
	return len(batches), err
}

// Finish copies what is missing, with the log locked, and puts the copy in its place. The log's former folder is
// deleted as Dir.Delete does.
func (f *Future) Finish() error {
	l := f.log
	l.write.Lock()
	defer l.write.Unlock()
	for {
		n, err := f.Copy(1 << 20)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	if err := f.next.close(); err != nil {
		return err
	}
	final, from := filepath.Join(f.next.dir.path, l.tp.folder()), l.dir
	if err := os.Rename(f.next.path, final); err != nil {
		return fmt.Errorf("move %s: %w", l.tp, storage("renamed its copy", err))
	}
	moved := &Log{tp: l.tp, dir: f.next.dir, path: final, ps: producers{}}
	moved.config.Store(l.config.Load())
	if err := moved.open(true, offsets{recovery: l.end, start: l.start}); err != nil {
		return errors.Join(err, os.Rename(final, f.next.path)) // the log stays where it is
	}
	old, oldPath := l.segments, l.path
	l.mu.Lock()
	l.truncations++ // readers look again
	l.segments, l.dir, l.path, l.cleaned = moved.segments, moved.dir, final, 0
	l.recoveryPoint = min(l.recoveryPoint, l.end)
	l.mu.Unlock()
	l.dir.mu.Lock()
	l.dir.logs[l.tp] = l
	l.dir.mu.Unlock()
	from.mu.Lock()
	delete(from.logs, l.tp)
	delete(from.saved, l.tp)
	from.mu.Unlock()
	var err error
	for _, s := range old {
		err = errors.Join(err, s.log.close())
	}
	err = errors.Join(err, l.setEpochs(l.epochs), from.bury(l.tp, oldPath))
	if err != nil {
		return fmt.Errorf("move %s: %w", l.tp, err)
	}
	return nil
}

// Abandon gives the copy up.
func (f *Future) Abandon() error {
	f.next.abandon()
	return storage("removed "+filepath.Base(f.next.path), os.RemoveAll(f.next.path))
}

// Cut says whether a copy has to begin anew since the log lost its end meanwhile.
func Cut(err error) bool { return errors.Is(err, errCut) }

// futures finds and removes the copies that the last process did not complete.
func (d *Dir) futures() (all []TopicPartition) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil // said by Existing
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), futureSuffix)
		if i := strings.LastIndexByte(name, '.'); ok && i > 0 {
			if tp, ok := parseFolder(name[:i]); ok {
				all = append(all, tp)
			}
			if err := os.RemoveAll(filepath.Join(d.path, e.Name())); err != nil {
				d.log.Error("unfinished copy not removed", "path", e.Name(), "err", err)
			}
		}
	}
	return all
}

// bury renames the folder of a partition that is deleted; Sweep removes it later.
func (d *Dir) bury(tp TopicPartition, path string) error {
	grave := filepath.Join(d.path, tp.apart(deletedSuffix))
	if err := os.Rename(path, grave); err != nil {
		return storage("renamed its folder", err)
	}
	now := time.Now()
	os.Chtimes(grave, now, now) // Sweep counts from here
	return nil
}

// Futures are the moves that the last process did not complete: what was to go where. Their copies are removed.
func (ds *Dirs) Futures() map[TopicPartition]*Dir {
	all := map[TopicPartition]*Dir{}
	for _, d := range ds.live() {
		for _, tp := range d.futures() {
			all[tp] = d
		}
	}
	return all
}

// Find is the directory with a path, nil if there is none.
func (ds *Dirs) Find(path string) *Dir {
	for _, d := range ds.all {
		if a, err := filepath.Abs(d.path); d.path == path || err == nil && a == filepath.Clean(path) {
			return d
		}
	}
	return nil
}

// Prefer has a partition that is not here yet go into a directory.
func (ds *Dirs) Prefer(tp TopicPartition, d *Dir) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.preferred == nil {
		ds.preferred = map[TopicPartition]*Dir{}
	}
	ds.preferred[tp] = d
}

// unduplicate deletes partitions that a crash at the end of a move left in two directories: they are the same there.
func (ds *Dirs) unduplicate() {
	seen := map[TopicPartition]*Dir{}
	for _, d := range ds.live() {
		for _, tp := range d.Existing() {
			if seen[tp] == nil {
				seen[tp] = d
				continue
			}
			d.log.Warn("partition is in two log directories, one copy is deleted", "partition", tp.String(), "kept", seen[tp].path, "deleted", d.path)
			if err := d.bury(tp, filepath.Join(d.path, tp.folder())); err != nil {
				d.log.Error("copy not deleted", "partition", tp.String(), "err", err)
			}
			delete(d.saved, tp)
		}
	}
}
