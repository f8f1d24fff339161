package replica

import (
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/log"
)

// reader is who fetches: a consumer (id < 0) or the follower id.
type reader struct {
	id          int32
	brokerEpoch int64
	isolated    bool   // a consumer that reads committed transactions only (read_committed)
	anywhere    bool   // a consumer that may be served by a follower (KIP-392)
	rack        string // of such a consumer
}

func (q reader) follows() bool { return q.id >= 0 }

// admits is nil while this replica may serve a reader that believes in a leader epoch: as leader, or as follower one
// that may read anywhere. Needs mu.
func (p *partition) admits(by reader, epoch int32) error {
	if !by.anywhere || p.lead != nil || p.failed != nil {
		return p.leads(epoch)
	}
	if e := judgeEpoch(epoch, p.leaderEpoch); e != nil {
		return e
	}
	if !p.following {
		return notLeader
	}
	return nil
}

// want is what a fetch asks of one partition.
type want struct {
	key
	topicID   [16]byte
	byID      bool // the request names topics by id
	epoch     int32
	offset    int64
	lastEpoch int32 // of the record before offset; -1 unknown
	logStart  int64 // of a follower
	maxBytes  int32
}

// reading is the answer for one partition.
type reading struct {
	err       error
	records   []byte
	hw, start int64
	stable    int64         // last stable offset
	aborted   []log.Aborted // transactions among the records, for an isolated reader
	limit     int64         // readable up to here at the time
	diverging divergence
	nearer    int32 // the replica that a consumer should rather read from, -1 if this one
	stale     bool  // not read yet
}

// divergence is the end of the largest epoch up to the reader's last one, where that differs from the reader's log.
type divergence struct {
	epoch int32 // -1: none
	end   int64
}

func failedReading(err error) reading {
	return reading{err: err, hw: -1, start: -1, stable: -1, diverging: divergence{-1, -1}, nearer: -1}
}

// standing is what a fetch has to know of a partition before it reads the log.
type standing struct {
	epoch             int32
	hw, stable, limit int64
	end               int64
	nearer            int32 // as in reading
	outOfSync         bool  // the reader is a follower that is not in the isr
}

// admit checks that this replica may serve a fetch.
func (p *partition) admit(w *want, by reader) (standing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.byID && p.topicID != w.topicID {
		return standing{}, kerr.InconsistentTopicID
	}
	if err := p.admits(by, w.epoch); err != nil {
		return standing{}, err
	}
	s := standing{epoch: p.leaderEpoch, hw: p.hw, stable: p.log.Stable(p.hw), limit: p.hw, end: p.end, nearer: -1}
	if by.isolated {
		s.limit = s.stable
	}
	if !by.follows() {
		if p.lead != nil && by.rack != "" && p.r.cfg.Rack != nil {
			s.nearer = p.lead.nearest(by.rack, w.offset, p.r.cfg.Rack)
		}
		return s, nil
	}
	s.limit = p.end
	known, ok := p.lead.remotes[by.id]
	switch {
	case !ok: // assigned, but not by any LeaderAndIsr that got here
		return s, kerr.UnknownLeaderEpoch
	case by.brokerEpoch >= 0 && by.brokerEpoch < known.brokerEpoch: // sent before the follower was restarted
		return s, notLeader
	}
	s.outOfSync = !slices.Contains(p.lead.isr, by.id)
	return s, nil
}

// read serves one partition of a fetch. What a follower asks for tells how far it has come.
func (p *partition) read(w *want, by reader, maxBytes int, minOne bool, lent *loan) reading {
	s, err := p.admit(w, by)
	if err != nil {
		return failedReading(err)
	}
	out := reading{hw: s.hw, stable: s.stable, start: p.log.Start(), limit: s.limit, diverging: divergence{-1, -1}, nearer: s.nearer}
	if out.nearer >= 0 {
		return out
	}
	if w.lastEpoch >= 0 {
		switch found, end := p.endOfEpoch(w.lastEpoch, s); {
		case found < 0:
			return failedReading(kerr.OffsetOutOfRange)
		case found < w.lastEpoch || end < w.offset:
			out.diverging = divergence{found, end}
			return out
		}
	}
	if w.offset < out.start || w.offset > s.end {
		return failedReading(kerr.OffsetOutOfRange)
	}
	if w.offset < s.limit && (maxBytes > 0 || minOne) && !p.withholds(s) {
		if out.records, err = p.log.ReadInto(lent.take, w.offset, s.limit, maxBytes, minOne); err != nil {
			return failedReading(p.readError(err))
		}
		if by.isolated && len(out.records) > 0 {
			out.aborted = p.log.Aborted(w.offset, nextOffset(out.records, w.offset))
		}
	}
	if by.follows() {
		if err := p.followed(w, by, s.epoch); err != nil {
			return failedReading(err)
		}
	}
	return out
}

// endOfEpoch is where an epoch ends in this leader's log; the current one has not ended.
func (p *partition) endOfEpoch(epoch int32, s standing) (found int32, end int64) {
	if epoch == s.epoch {
		return epoch, s.end
	}
	return p.log.EndOfEpoch(epoch)
}

// readError looks at why a read failed. A log closed meanwhile is one that moved away; a broken disk fails the partition.
func (p *partition) readError(err error) error {
	if errors.Is(err, log.ErrStorage) {
		p.writer.Lock()
		p.fail(err)
		p.writer.Unlock()
	}
	return err
}

// followed notes how far a follower has come, which may bring it into the isr and commit records.
func (p *partition) followed(w *want, by reader, epoch int32) error {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lead == nil || p.leaderEpoch != epoch {
		return notLeader
	}
	before, ok := p.lead.remotes[by.id]
	if !ok {
		return kerr.UnknownLeaderEpoch
	}
	p.lead.remotes[by.id] = before.fetches(w.offset, w.logStart, by.brokerEpoch, p.end, now)
	p.expand(by.id)
	if before.end != w.offset {
		p.advance(now)
	}
	if before.start != w.logStart {
		wake(p.deletions)
	}
	return nil
}

// limitFor is how far a reader may read now.
func (p *partition) limitFor(by reader) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.admits(by, noEpoch) != nil:
		return -1
	case by.follows():
		return p.end
	case by.isolated:
		return p.log.Stable(p.hw)
	}
	return p.hw
}
