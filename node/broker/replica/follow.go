package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// apply carries out what the leader answered for one partition.
func (f *fetcher) apply(ctx context.Context, q *pursuit, part *kmsg.FetchResponseTopicPartition) {
	var err error
	switch {
	case part.ErrorCode == kerr.OffsetOutOfRange.Code:
		err = f.reset(ctx, q)
	case part.ErrorCode == kerr.FencedLeaderEpoch.Code:
		f.drop(q, "the leader has a newer epoch, waiting for the controller")
		return
	case part.ErrorCode != 0:
		err = kerr.ErrorForCode(part.ErrorCode)
	case part.DivergingEpoch.EndOffset >= 0:
		err = q.diverge(part.DivergingEpoch.Epoch, part.DivergingEpoch.EndOffset)
	default:
		err = q.append(part)
	}
	switch {
	case err == nil:
		if q.said != 0 {
			f.r.log.Info("follower fetches again", "partition", q.p.String(), "leader", f.leader)
		}
		q.said, q.pause = 0, 0
	case errors.Is(err, errInterrupted):
	case errors.Is(err, errMoved), errors.Is(err, log.ErrClosed):
		f.drop(q, "")
	case errors.Is(err, log.ErrStorage):
		q.p.writer.Lock()
		q.p.fail(err)
		q.p.writer.Unlock()
		f.drop(q, "")
	default:
		f.rest(q, err)
	}
}

// errMoved tells that a partition does not follow in this epoch any more.
var errMoved = errors.New("partition has moved on")

// rest lets a partition pause after an error, and logs the error when it is another than before.
func (f *fetcher) rest(q *pursuit, err error) {
	q.pause = pause(q.pause, err, f.r.cfg.Settings.FetchBackoff)
	f.mu.Lock()
	q.rest = time.Now().Add(q.pause)
	f.mu.Unlock()
	if c := code(err); c != q.said {
		q.said = c
		f.r.log.Info("follower cannot fetch, trying again", "partition", q.p.String(), "leader", f.leader, "epoch", q.epoch, "err", err)
	}
}

// pause is how long a partition rests after err, when it rested for last before. A leader that has not heard of this
// epoch or topic yet is about to: its LeaderAndIsr left the controller together with this replica's.
func pause(last time.Duration, err error, longest time.Duration) time.Duration {
	switch code(err) {
	case kerr.UnknownLeaderEpoch.Code, kerr.UnknownTopicID.Code, kerr.UnknownTopicOrPartition.Code, notLeader.Code:
		return min(last+racePause, fetchPause, longest)
	}
	return min(max(2*last, fetchPause), longest)
}

// drop ends the pursuit of a partition, unless it was taken up anew.
func (f *fetcher) drop(q *pursuit, why string) {
	f.mu.Lock()
	if f.following[q.p] == q {
		delete(f.following, q.p)
		f.order = nil
	}
	f.mu.Unlock()
	if why != "" {
		f.r.log.Info("follower stops fetching: "+why, "partition", q.p.String(), "leader", f.leader, "epoch", q.epoch)
	}
}

// change lets do alter the log of a partition that still follows in the pursuit's epoch.
func (q *pursuit) change(do func(p *partition) error) error {
	p := q.p
	p.writer.Lock()
	defer p.writer.Unlock()
	p.mu.Lock()
	valid := p.following && p.leaderEpoch == q.epoch && p.failed == nil
	p.mu.Unlock()
	if !valid {
		return errMoved
	}
	err := do(p)
	end := p.log.End()
	p.mu.Lock()
	p.end, p.hw = end, min(p.hw, end)
	p.mu.Unlock()
	return err
}

// append adds what was fetched, and moves the high watermark and the log's start as the leader's.
func (q *pursuit) append(part *kmsg.FetchResponseTopicPartition) error {
	return q.change(func(p *partition) error {
		if len(part.RecordBatches) > 0 {
			if _, err := p.log.AppendFollower(part.RecordBatches, q.epoch); err != nil {
				return fmt.Errorf("append to %s: %w", p, err)
			}
			p.traffic.replicatedIn.Add(int64(len(part.RecordBatches)))
			p.received(len(part.RecordBatches))
		}
		end := p.log.End()
		p.mu.Lock()
		if hw := max(min(part.HighWatermark, end), p.hw); hw != p.hw {
			p.hw = hw
			wake(p.committed)
		}
		p.behind = max(part.HighWatermark-end, 0)
		q.level = p.behind == 0
		p.mu.Unlock()
		if start := min(part.LogStartOffset, end); start > p.log.Start() {
			return p.log.SetStart(start)
		}
		return nil
	})
}

// diverge cuts the log where its history differs from the leader's, which ends epoch at end. The next fetch finds out
// whether that was enough.
func (q *pursuit) diverge(epoch int32, end int64) error {
	return q.change(func(p *partition) error {
		found, foundEnd := p.log.EndOfEpoch(epoch)
		to := truncation(epoch, end, found, foundEnd, p.log.End())
		p.truncating(to)
		return p.log.Truncate(to)
	})
}

// truncating logs that the end of a log goes.
func (p *partition) truncating(to int64) {
	end, hw := p.log.End(), p.highWatermark()
	if to < hw {
		p.r.log.Warn("follower diverged below its high watermark: committed records go", "partition", p.String(), "from", end, "to", to, "hw", hw)
	} else if to < end {
		p.r.log.Info("follower diverged: its end is cut off", "partition", p.String(), "from", end, "to", to, "hw", hw)
	}
}

// reset finds a place to go on from when the leader's log does not reach to this one's end: the leader's end, if that
// is before (it was elected without having all), or its start, if that is after.
func (f *fetcher) reset(ctx context.Context, q *pursuit) error {
	leaderEnd, err := f.listOffset(ctx, q, latest)
	if err != nil {
		return err
	}
	if leaderEnd < q.p.log.End() {
		return q.change(func(p *partition) error {
			p.truncating(leaderEnd)
			return p.log.Truncate(leaderEnd)
		})
	}
	start, err := f.listOffset(ctx, q, earliest)
	if err != nil {
		return err
	}
	if start <= q.p.log.End() {
		return fmt.Errorf("%w: leader has %d to %d", kerr.OffsetOutOfRange, start, leaderEnd) // it may have moved meanwhile
	}
	return q.change(func(p *partition) error {
		p.r.log.Info("follower starts over: the leader's log begins after its end", "partition", p.String(), "end", p.log.End(), "start", start)
		return p.log.Reset(start)
	})
}

// listOffset asks the leader for one end of its log.
func (f *fetcher) listOffset(ctx context.Context, q *pursuit, which int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 6, f.r.cfg.BrokerID
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = q.p.Topic
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp, part.CurrentLeaderEpoch = q.p.Partition, which, q.epoch
	t.Partitions = append(t.Partitions, part)
	req.Topics = append(req.Topics, t)
	answer, err := f.request(ctx, req)
	if err != nil {
		f.disconnect()
		return 0, err
	}
	resp, ok := answer.(*kmsg.ListOffsetsResponse)
	if !ok || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, errors.New("leader did not answer the question for its offsets")
	}
	got := resp.Topics[0].Partitions[0]
	return got.Offset, kerr.ErrorForCode(got.ErrorCode)
}
