package log

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Dirs are the log directories of one broker. A partition lives in one of them; new ones go where the fewest are. One
// that fails is left alone from then on: what was in it is offline, the others go on.
type Dirs struct {
	all []*Dir // in the order of log.dirs; those that could not be opened are there, too

	mu        sync.Mutex
	failed    map[*Dir]error
	preferred map[TopicPartition]*Dir // where new partitions are to go
}

// OpenDirs takes possession of log directories. One that cannot be used is left out as long as another can; one that is
// in use (ErrLocked) or another broker's (ErrIdentity) is an error.
func OpenDirs(paths []string, id Identity, logger *slog.Logger) (*Dirs, error) {
	ds := &Dirs{failed: map[*Dir]error{}}
	for _, path := range paths {
		d, err := OpenDir(path, id, logger)
		if errors.Is(err, ErrLocked) || errors.Is(err, ErrIdentity) {
			return nil, errors.Join(fmt.Errorf("log directory %s: %w", path, err), ds.Close(false, nil))
		}
		if err != nil {
			d = &Dir{path: path, log: logger}
			ds.failed[d] = fmt.Errorf("log directory %s: %w", path, err)
			logger.Error("log directory cannot be used: mend it and start the broker again", "path", path, "err", err)
		}
		ds.all = append(ds.all, d)
	}
	if len(ds.failed) == len(ds.all) {
		return nil, errors.Join(slices.Collect(maps.Values(ds.failed))...)
	}
	ds.unduplicate()
	return ds, nil
}

// All are the directories, those that failed included.
func (ds *Dirs) All() []*Dir { return ds.all }

// live are the directories that did not fail.
func (ds *Dirs) live() []*Dir {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ds.all), func(d *Dir) bool { return ds.failed[d] != nil })
}

// Failed says whether a directory failed.
func (ds *Dirs) Failed(d *Dir) bool {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	return ds.failed[d] != nil
}

// Fail notes that a directory cannot be used any more. first is false if that was known; left counts those that can.
func (ds *Dirs) Fail(d *Dir, err error) (first bool, left int) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	first = ds.failed[d] == nil
	if first {
		ds.failed[d] = err
	}
	return first, len(ds.all) - len(ds.failed)
}

// Clean reports whether the last process closed every directory properly.
func (ds *Dirs) Clean() bool {
	return !slices.ContainsFunc(ds.live(), func(d *Dir) bool { return !d.Clean() })
}

// Existing are the partitions that have a folder.
func (ds *Dirs) Existing() (all []TopicPartition) {
	for _, d := range ds.live() {
		all = append(all, d.Existing()...)
	}
	return all
}

// HighWatermarks are what the directories' replication-offset-checkpoint said at start.
func (ds *Dirs) HighWatermarks() map[TopicPartition]int64 {
	all := map[TopicPartition]int64{}
	for _, d := range ds.live() {
		maps.Copy(all, d.hw)
	}
	return all
}

// Open is Dir.Open in the directory that has the partition. A new one goes into the directory with the fewest. One that
// is not new and not found is an error (ErrStorage) when a directory failed: it is probably there.
func (ds *Dirs) Open(topic string, partition int32, isNew bool, cfg Config) (*Log, error) {
	tp := TopicPartition{topic, partition}
	live := ds.live()
	if i := slices.IndexFunc(live, func(d *Dir) bool { return d.has(tp) }); i >= 0 {
		return live[i].Open(topic, partition, cfg)
	}
	if len(live) == 0 || len(live) < len(ds.all) && !isNew {
		return nil, fmt.Errorf("open %s: %w: it is in none of the directories that work", tp, ErrStorage)
	}
	ds.mu.Lock()
	wanted := ds.preferred[tp]
	delete(ds.preferred, tp)
	ds.mu.Unlock()
	if slices.Contains(live, wanted) {
		return wanted.Open(topic, partition, cfg)
	}
	return slices.MinFunc(live, func(a, b *Dir) int { return a.count() - b.count() }).Open(topic, partition, cfg)
}

// Delete is Dir.Delete of the directory that has the log.
func (ds *Dirs) Delete(l *Log) error { return l.Dir().Delete(l) }

// Checkpoint is Dir.Checkpoint of all; the errors are by directory.
func (ds *Dirs) Checkpoint(hw map[TopicPartition]int64) map[*Dir]error {
	errs := map[*Dir]error{}
	for _, d := range ds.live() {
		if err := d.Checkpoint(hw); err != nil {
			errs[d] = err
		}
	}
	return errs
}

// Sweep is Dir.Sweep of all.
func (ds *Dirs) Sweep(now time.Time, delay time.Duration) error {
	var errs error
	for _, d := range ds.live() {
		errs = errors.Join(errs, d.Sweep(now, delay))
	}
	return errs
}

// Close is Dir.Close of all. What failed is abandoned.
func (ds *Dirs) Close(clean bool, hw map[TopicPartition]int64) error {
	var errs error
	for _, d := range ds.all {
		if d.lock == nil { // never opened
			continue
		}
		if ds.Failed(d) {
			_ = d.Close(false, nil) // there is no more to say about it
			continue
		}
		errs = errors.Join(errs, d.Close(clean, hw))
	}
	return errs
}

// has tells whether a partition has its folder here.
func (d *Dir) has(tp TopicPartition) bool {
	d.mu.Lock()
	_, open := d.logs[tp]
	d.mu.Unlock()
	if open {
		return true
	}
	info, err := os.Stat(filepath.Join(d.path, tp.folder()))
	return err == nil && info.IsDir()
}

// count is how many partitions are here.
func (d *Dir) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.logs)
	for tp := range d.saved {
		if d.logs[tp] == nil {
			n++
		}
	}
	return n
}

// Dir is the directory that a log is in.
func (l *Log) Dir() *Dir {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dir
}
