package replica

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/log"
)

// key names a partition.
type key = log.TopicPartition

// partition is one replica on this broker.
type partition struct {
	key
	r   *Replicas
	log *log.Log

	traffic   *traffic // of the topic
	throttled throttled

	writer  sync.Mutex    // held while the log changes at its end, and while the role does
	markers map[int64]int // appended here in this term, by producer, for guards; guarded by writer

	mu             sync.Mutex // guards what follows; the roles change with writer held as well
	topicID        [16]byte
	leader         int32 // -1 none
	leaderEpoch    int32 // -1 before the first LeaderAndIsr
	partitionEpoch int32
	lead           *leadership // nil on a follower
	following      bool        // an entry of a fetcher
	failed         error       // the log is not usable
	term           int         // counts resignations: while it stands, what was appended as leader is still there
	end            int64       // the log's end, as far as writers are done
	hw             int64       // high watermark: below it, all is committed
	behind         int64       // of a follower: what its leader had committed beyond end, at the last fetch
	acks           []*ack
	tail           []poll // followers, woken by what is appended
	committed      []poll // consumers, woken by the high watermark
	deletions      []poll // DeleteRecords, woken by followers whose log start moves
}

// appended is the outcome of an append by clients of the leader.
type appended struct {
	log.Appended
	term int
	err  error
}

// append adds batches as leader. With epoch >= 0 only the leader of that epoch does.
func (p *partition) append(batches []byte, origin log.Origin, acks int16, epoch int32) appended {
	return p.appendGuarded(batches, origin, acks, epoch, nil)
}

// appendGuarded is append for a batch whose transaction was verified when there was this guard; nil if it was not.
func (p *partition) appendGuarded(batches []byte, origin log.Origin, acks int16, epoch int32, verified *Guard) appended {
	p.writer.Lock()
	defer p.writer.Unlock()
	p.mu.Lock()
	current, term, err := p.leaderEpoch, p.term, p.leads(epoch)
	if err == nil && acks == -1 && p.lead.underMinISR() {
		err = kerr.NotEnoughReplicas
	}
	p.mu.Unlock()
	if err != nil {
		return appended{err: err}
	}
	if verified != nil {
		if b, ok := firstBatch(batches); ok {
			if err := p.stands(*verified, term, b.ProducerID()); err != nil {
				return appended{err: err}
			}
		}
	}
	if b, ok := firstBatch(batches); ok && origin == log.FromCoordinator && b.Control() {
		if p.markers == nil {
			p.markers = map[int64]int{}
		}
		p.markers[b.ProducerID()]++
	}
	a, err := p.log.AppendLeader(batches, current, origin)
	if err != nil {
		if errors.Is(err, log.ErrStorage) {
			p.fail(err)
		}
		return appended{err: err}
	}
	p.mu.Lock()
	p.end = max(p.end, a.Last+1)
	p.mu.Unlock()
	return appended{Appended: a, term: term}
}

// leads is nil while this replica leads the partition and a client that believes in epoch is right. Needs mu.
func (p *partition) leads(epoch int32) error {
	if p.failed != nil {
		return kerr.KafkaStorageError
	}
	if e := judgeEpoch(epoch, p.leaderEpoch); e != nil {
		return e
	}
	if p.lead == nil {
		return notLeader
	}
	return nil
}

// advance moves the high watermark of a leader as far as it goes, and wakes whoever waits for that. Needs mu.
func (p *partition) advance(now time.Time) {
	if p.lead == nil {
		return
	}
	mark := p.lead.highWatermark(p.hw, p.end, now, p.r.cfg.Settings.ReplicaLagTimeMax, p.r.cfg.Alive)
	if mark == p.hw {
		return
	}
	p.hw = mark
	p.settleAcks()
	wake(p.committed)
}

// announce tells followers of what was appended, and consumers if that committed it at once.
func (p *partition) announce(now time.Time) {
	p.mu.Lock()
	p.advance(now)
	wake(p.tail)
	p.mu.Unlock()
}

// highWatermark is where committed records end.
func (p *partition) highWatermark() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hw
}

// fail ends the use of a log that could not be written: its disk is full, gone or broken. Needs writer, not mu.
func (p *partition) fail(err error) {
	p.mu.Lock()
	first := p.failed == nil
	if first {
		p.failed = err
		p.resign(kerr.KafkaStorageError)
	}
	p.mu.Unlock()
	if !first {
		return
	}
	p.r.log.Error("partition failed: it answers storage errors until its disk is mended and the broker restarted",
		"partition", p.String(), "err", err)
	p.r.dirFailed(p.log.Dir(), fmt.Errorf("%s: %w", p, err))
}

// failOn is fail if an error of background work is one of the disk.
func (p *partition) failOn(err error) {
	if !errors.Is(err, log.ErrStorage) {
		return
	}
	p.writer.Lock()
	defer p.writer.Unlock()
	p.fail(err)
}

// resign ends a leadership, if any: producers that wait learn err and consumers look again. Needs mu.
func (p *partition) resign(err *kerr.Error) {
	p.lead = nil
	p.term++
	for _, a := range p.acks {
		a.settle(err)
	}
	p.acks = nil
	wake(p.tail)
	wake(p.committed)
}

// becomeLeader takes over a leader epoch. What the log holds is what the partition holds, from now on. A leader that
// stays one, as it does when a follower died, keeps what it knows of its followers, and producers keep waiting. If it
// missed an epoch, another may have led meanwhile and had followers truncate: how far they are is not known any more.
// Needs writer.
func (p *partition) becomeLeader(lead *leadership, partitionEpoch int32, now time.Time) error {
	if err := p.log.BeginEpoch(lead.epoch); err != nil {
		return err
	}
	end := p.log.End()
	lead.epochStart = end
	p.mu.Lock()
	defer p.mu.Unlock()
	lead.remotes = make(map[int32]remote, len(lead.replicas))
	for _, id := range lead.replicas {
		if id == lead.self {
			continue
		}
		inSync := slices.Contains(lead.isr, id)
		lead.remotes[id] = unknownRemote(inSync, now)
		if p.lead == nil || lead.epoch != p.leaderEpoch+1 {
			continue
		}
		if known, ok := p.lead.remotes[id]; ok {
			lead.remotes[id] = known.stays(inSync, end, now)
		}
	}
	p.end, p.lead, p.following = end, lead, false
	p.leader, p.leaderEpoch, p.partitionEpoch = lead.self, lead.epoch, partitionEpoch
	p.advance(now)
	p.settleAcks()
	wake(p.tail)
	wake(p.committed)
	return nil
}

// becomeFollower follows leader, or nobody while that is -1. Needs writer.
func (p *partition) becomeFollower(leader, leaderEpoch, partitionEpoch int32) {
	end := p.log.End()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resign(notLeader)
	p.markers = nil // guards of this term do not stand any more
	p.end = end
	p.leader, p.leaderEpoch, p.partitionEpoch, p.following = leader, leaderEpoch, partitionEpoch, leader >= 0
}
