package log

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Names of the files of a log directory that belong to no partition.
const (
	lockFile      = ".lock"
	cleanFile     = ".kafka_cleanshutdown"
	metaFile      = "meta.properties"
	hwFile        = "replication-offset-checkpoint"
	recoveryFile  = "recovery-point-offset-checkpoint"
	cleanerFile   = "cleaner-offset-checkpoint"
	startFile     = "log-start-offset-checkpoint"
	deletedSuffix = "-delete"
)

// Identity is whose a log directory is.
type Identity struct {
	ClusterID string
	BrokerID  int32
}

// A Dir is one log directory, held by one process.
type Dir struct {
	path  string
	log   *slog.Logger
	clean bool // the last process closed it properly
	lock  *os.File
	hw    map[TopicPartition]int64 // as read at start; never changed

	mu       sync.Mutex
	logs     map[TopicPartition]*Log
	saved    map[TopicPartition]offsets // of partitions that are not open
	watchful sync.Mutex                 // one checkpoint at a time; guards what follows

	written   map[TopicPartition]offsets // what the checkpoint files have, nil if that is not known
	writtenAt time.Time
}

// offsets are what the checkpoint files say of a partition.
type offsets struct{ hw, recovery, start, cleaned int64 }

// OpenDir takes possession of a log directory and creates it if needed. ErrLocked means that another process has it,
// ErrIdentity that it belongs to another broker or cluster.
func OpenDir(path string, id Identity, logger *slog.Logger) (*Dir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, storage("created "+path, err)
	}
	d := &Dir{path: path, log: logger, logs: map[TopicPartition]*Log{}, saved: map[TopicPartition]offsets{}}
	if err := d.acquire(); err != nil {
		return nil, err
	}
	if err := errors.Join(d.identify(id), d.readCheckpoints(), d.takeCleanMark()); err != nil {
		d.lock.Close()
		return nil, err
	}
	return d, nil
}

func (d *Dir) acquire() error {
	f, err := os.OpenFile(filepath.Join(d.path, lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return storage("opened "+lockFile, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("%w: another process holds %s: stop it first", ErrLocked, filepath.Join(d.path, lockFile))
	}
	d.lock = f
	return nil
}

// takeCleanMark notices the mark of a clean shutdown; it is valid once.
func (d *Dir) takeCleanMark() error {
	err := os.Remove(filepath.Join(d.path, cleanFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d.clean = err == nil
	return storage("removed "+cleanFile, err)
}

func (d *Dir) readCheckpoints() error {
	read := func(name string) map[TopicPartition]int64 {
		text, err := os.ReadFile(filepath.Join(d.path, name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		var m map[TopicPartition]int64
		if err == nil {
			m, err = decodeOffsets(text)
		}
		if err != nil {
			d.log.Warn("checkpoint ignored", "file", name, "err", err)
		}
		return m
	}
	hw, recovery, start, cleaned := read(hwFile), read(recoveryFile), read(startFile), read(cleanerFile)
	d.hw = hw
	if d.hw == nil {
		d.hw = map[TopicPartition]int64{}
	}
	for _, tp := range d.Existing() {
		d.saved[tp] = offsets{hw[tp], recovery[tp], start[tp], cleaned[tp]}
	}
	return nil
}

// Path is where the directory is.
func (d *Dir) Path() string { return d.path }

// Clean reports whether the last process closed the directory properly.
func (d *Dir) Clean() bool { return d.clean }

// Existing are the partitions that have a folder.
func (d *Dir) Existing() []TopicPartition {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		d.log.Error("log directory cannot be listed", "path", d.path, "err", err)
	}
	var all []TopicPartition
	for _, e := range entries {
		if tp, ok := parseFolder(e.Name()); ok && e.IsDir() {
			all = append(all, tp)
		}
	}
	return all
}

// HighWatermarks are what replication-offset-checkpoint said at start.
func (d *Dir) HighWatermarks() map[TopicPartition]int64 { return maps.Clone(d.hw) }

// Open opens a partition's log and recovers it; its folder is created if missing. Different partitions may be opened at the
// same time. One that is open already is returned as it is; logs are closed by Dir.Close and Delete.
func (d *Dir) Open(topic string, partition int32, cfg Config) (*Log, error) {
	tp := TopicPartition{topic, partition}
	d.mu.Lock()
	if l, ok := d.logs[tp]; ok {
		d.mu.Unlock()
		return l, nil
	}
	saved := d.saved[tp]
	d.mu.Unlock()

	l := &Log{tp: tp, dir: d, path: filepath.Join(d.path, tp.folder()), ps: producers{}}
	l.config.Store(&cfg)
	if err := l.open(d.clean, saved); err != nil {
		return nil, fmt.Errorf("open %s: %w", tp, err)
	}
	if l.recovery.Reason != "" {
		d.log.Warn("log recovered", "partition", tp.String(), "end", l.end, "cut", l.recovery.TruncatedBytes, "reason", l.recovery.Reason)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if other, ok := d.logs[tp]; ok {
		return other, nil
	}
	d.logs[tp] = l
	return l, nil
}

// Delete closes a log and renames its folder; Sweep removes it later.
func (d *Dir) Delete(l *Log) error {
	l.write.Lock()
	defer l.write.Unlock()
	l.mu.Lock()
	l.closed = true
	segments := l.segments
	l.mu.Unlock()
	for _, s := range segments {
		s.log.close()
	}
	d.mu.Lock()
	delete(d.logs, l.tp)
	delete(d.saved, l.tp)
	d.mu.Unlock()
	if err := d.bury(l.tp, l.path); err != nil {
		return fmt.Errorf("delete %s: %w", l.tp, err)
	}
	return nil
}

// Sweep removes the folders of partitions that were deleted longer than delay (file.delete.delay.ms) ago.
func (d *Dir) Sweep(now time.Time, delay time.Duration) error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return storage("listed "+d.path, err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasSuffix(e.Name(), deletedSuffix) {
			continue
		}
		if info, ierr := e.Info(); ierr == nil && now.Sub(info.ModTime()) >= delay {
			err = errors.Join(err, storage("removed "+e.Name(), os.RemoveAll(filepath.Join(d.path, e.Name()))))
		}
	}
	return err
}

// Close closes all logs and releases the directory. With clean, the next start trusts the logs instead of scanning
// them.
func (d *Dir) Close(clean bool, hw map[TopicPartition]int64) error {
	d.mu.Lock()
	logs := slices.Collect(maps.Values(d.logs))
	d.mu.Unlock()
	var errs error
	if clean {
		errs = closeAll(logs)
		errs = errors.Join(errs, d.checkpoint(hw, true))
		if errs == nil {
			errs = replace(filepath.Join(d.path, cleanFile), []byte(`{"version":0,"brokerEpoch":-1}`), true)
		}
	} else {
		for _, l := range logs {
			l.abandon()
		}
	}
	return errors.Join(errs, d.lock.Close())
}

// closeAll closes many logs at a time: what they sync goes to the disk together.
func closeAll(logs []*Log) error {
	const atOnce = 64
	var wg sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	errs := make([]error, len(logs))
	for i, l := range logs {
		turns <- struct{}{}
		wg.Go(func() {
			errs[i] = l.close()
			<-turns
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
