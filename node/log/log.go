package log

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// A Log is one partition's log. One writer at a time, any number of readers.
type Log struct {
	tp     TopicPartition
	dir    *Dir
	config atomic.Pointer[Config]

	write    sync.Mutex // held for the whole of any change, disk writes included
	ps       producers  // guarded by write
	path     string     // guarded by write; Delete renames the folder
	recovery Recovery   // fixed once open
	topicID  [16]byte   // guarded by mu

	places places
	saving sync.Mutex // held while the epochs' file is written; taken inside write, before mu

	mu sync.RWMutex // guards the rest; taken inside write for changes, never held while the disk works
	// segments ascend by base, each ends at or before the next one's base; the last is active, there is always one.
	segments      []*segment
	start, end    int64
	cleaned       int64 // all below was compacted
	recoveryPoint int64 // all below is on the disk, whatever happens to the machine
	flushedAt     time.Time
	truncations   int // lets a reader notice that it was overtaken
	cuts          int // how often the end was taken back, or everything dropped
	epochs        epochs
	epochsChange  int           // counts the changes of epochs
	epochsSaved   int           // the change that the file has
	unstable      []transaction // open ones, and those whose markers may be above the high watermark; by first offset
	closed        bool
}

// Recovery is what opening found.
type Recovery struct {
	SegmentsScanned int    // segments whose CRCs were verified
	IndexesRebuilt  int    // segments whose indexes were missing or wrong
	TruncatedBytes  int64  // bytes cut off
	Reason          string // why bytes were cut off, one sentence
}

// Appended is where batches went.
type Appended struct {
	First, Last  int64
	MaxTimestamp int64
	AppendTime   int64 // of the leader's clock if it stamped the batches, -1 otherwise
	LogStart     int64
	Duplicate    bool // they were there already; offsets are those they got then
}

func (l *Log) TopicPartition() TopicPartition { return l.tp }
func (l *Log) Recovery() Recovery             { return l.recovery }
func (l *Log) Config() Config                 { return *l.config.Load() }
func (l *Log) SetConfig(c Config)             { l.config.Store(&c) }

// Start is the first offset that may be read.
func (l *Log) Start() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.start
}

// End is the offset the next record gets (LEO).
func (l *Log) End() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.end
}

// Reach is where the log starts and ends, and its newest leader epoch, of one moment.
func (l *Log) Reach() (start, end int64, lastEpoch int32) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.start, l.end, l.epochs.last()
}

// Size is the number of bytes in the segments, indexes not counted.
func (l *Log) Size() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return size(l.segments)
}

// Segments is how many segments there are.
func (l *Log) Segments() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.segments)
}

func size(segments []*segment) (n int64) {
	for _, s := range segments {
		n += s.size
	}
	return n
}

// SetStart moves the start up to an offset (DeleteRecords, or a follower that learns its leader's start); segments
// below go with the next Retain. A start below the current one is ignored.
func (l *Log) SetStart(offset int64) error {
	l.write.Lock()
	defer l.write.Unlock()
	l.mu.Lock()
	if offset > l.end {
		end := l.end
		l.mu.Unlock()
		return fmt.Errorf("%s: start at %d: %w: end is %d", l.tp, offset, ErrOffsetOutOfRange, end)
	}
	if offset <= l.start {
		l.mu.Unlock()
		return nil
	}
	l.start = offset
	l.mu.Unlock()
	return l.setEpochs(l.epochs.cutStart(offset))
}

// LastEpoch is the newest leader epoch, -1 if none.
func (l *Log) LastEpoch() int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epochs.last()
}

// EpochAt is the leader epoch of the record at an offset, -1 if unknown.
func (l *Log) EpochAt(offset int64) int32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epochs.at(offset)
}

// EndOfEpoch answers OffsetForLeaderEpoch: the largest known epoch up to the requested one and where it ends
// here; -1, -1 if that is not known.
func (l *Log) EndOfEpoch(requested int32) (found int32, end int64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epochs.end(requested, l.end)
}

// BeginEpoch notes that a leader's term begins at End. An epoch that is not newer than the last is ignored.
func (l *Log) BeginEpoch(e int32) error {
	l.write.Lock()
	defer l.write.Unlock()
	if e <= l.epochs.last() {
		return nil
	}
	es, _ := l.epochs.begin(e, l.end)
	l.mu.Lock()
	l.grow(es)
	l.mu.Unlock()
	return nil
}

// grow takes over epochs to which some were added at the end. The file need not have them before the recovery point moves
// beyond their batches, in which recovery finds them again, or the log is closed: a failover begins an epoch in
// thousands of logs, and none of them has to wait for the disk. Needs write and mu.
func (l *Log) grow(es epochs) {
	l.epochs = es
	l.epochsChange++
}

// setEpochs takes over epochs of which some are gone: the file must not keep them. Needs write. The file is not synced.
func (l *Log) setEpochs(es epochs) error {
	l.mu.Lock()
	l.grow(es)
	l.mu.Unlock()
	return l.saveEpochs()
}

// saveEpochs writes the epochs down, unless the file has them.
func (l *Log) saveEpochs() error {
	l.saving.Lock()
	defer l.saving.Unlock()
	l.mu.RLock()
	es, change, saved, path := l.epochs, l.epochsChange, l.epochsSaved, l.path
	l.mu.RUnlock()
	if change == saved {
		return nil
	}
	if err := replace(filepath.Join(path, epochFile), es.encode(), false); err != nil {
		return err
	}
	l.mu.Lock()
	l.epochsSaved = change
	l.mu.Unlock()
	return nil
}

// ActiveProducers are the idempotent producers that are known, by id.
func (l *Log) ActiveProducers() []ProducerState {
	l.write.Lock()
	defer l.write.Unlock()
	return l.ps.list()
}

// InTransaction tells whether a producer has an open transaction here.
func (l *Log) InTransaction(producerID int64) bool {
	l.write.Lock()
	defer l.write.Unlock()
	p, ok := l.ps[producerID]
	return ok && p.txnFirstOffset >= 0
}

// ExpireProducers forgets producers that were silent for producer.id.expiration.ms.
func (l *Log) ExpireProducers(now time.Time) {
	l.write.Lock()
	defer l.write.Unlock()
	l.ps.expire(now, l.Config().ProducerIDExpiration)
}

func (l *Log) active() *segment { return l.segments[len(l.segments)-1] }
