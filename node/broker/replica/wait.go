package replica

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ack is a producer's note on a partition: it waits until all below need is committed. Guarded by the partition's mu
// until it is settled.
type ack struct {
	p       *partition
	need    int64
	err     *kerr.Error
	settled bool
	all     *acksWait
}

// acksWait is one produce request that waits for its acks.
type acksWait struct {
	left atomic.Int32
	done chan struct{}
}

// settle ends the wait for one ack. Needs the partition's mu.
func (a *ack) settle(err *kerr.Error) {
	a.err, a.settled = err, true
	if a.all.left.Add(-1) == 0 {
		close(a.all.done)
	}
}

// enough tells whether what an ack needs is committed, or can no longer be while this isr holds. Needs mu.
func (p *partition) enough(need int64) (done bool, err *kerr.Error) {
	switch {
	case p.lead == nil:
		return true, notLeader
	case p.lead.underMinISR(), p.hw >= need && len(p.lead.maximal()) < p.lead.effectiveMinISR():
		return true, kerr.NotEnoughReplicasAfterAppend
	}
	return p.hw >= need, nil
}

// settleAcks settles what can be. Needs mu.
func (p *partition) settleAcks() {
	p.acks = slices.DeleteFunc(p.acks, func(a *ack) bool {
		done, err := p.enough(a.need)
		if done {
			a.settle(err)
		}
		return done
	})
}

// await leaves an ack with a partition, or settles it at once. The records were appended in that term.
func (p *partition) await(a *ack, term int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lead == nil || p.term != term {
		a.settle(notLeader)
	} else if done, err := p.enough(a.need); done {
		a.settle(err)
	} else {
		p.acks = append(p.acks, a)
	}
}

// giveUp settles an ack that was not settled in time.
func (a *ack) giveUp(err *kerr.Error) {
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	if a.settled {
		return
	}
	a.settle(err)
	if i := slices.Index(a.p.acks, a); i >= 0 {
		a.p.acks = slices.Delete(a.p.acks, i, i+1)
	}
}

// poll is a fetch that waits for records. It stays on its partitions until it is answered; being woken means looking
// again, once for any number of wakes.
type poll chan struct{}

func newPoll() poll { return make(poll, 1) }

func wake(polls []poll) {
	for _, w := range polls {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// enter leaves a poll with a partition: with the followers, which wait for its tail, or with the consumers.
func (p *partition) enter(w poll, follower bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if follower {
		p.tail = append(p.tail, w)
	} else {
		p.committed = append(p.committed, w)
	}
}

func (p *partition) leave(w poll, follower bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if follower {
		p.tail = without(p.tail, w)
	} else {
		p.committed = without(p.committed, w)
	}
}

func without(polls []poll, w poll) []poll {
	i := slices.Index(polls, w)
	if i < 0 {
		return polls
	}
	last := len(polls) - 1
	polls[i] = polls[last]
	return polls[:last]
}

// timer is a channel that fires after d, and what stops it.
func timer(d time.Duration) (<-chan time.Time, func() bool) {
	t := time.NewTimer(d)
	return t.C, t.Stop
}
