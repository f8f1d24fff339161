package replica

import (
	"context"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteRecords moves the start of logs, and waits until every live replica has moved its own. Versions 0 to 2.
func (r *Replicas) DeleteRecords(ctx context.Context, req *kmsg.DeleteRecordsRequest) *kmsg.DeleteRecordsResponse {
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(req.TimeoutMillis)*time.Millisecond)
	defer cancel()
	type deletion struct {
		p      *partition
		offset int64
		err    error
	}
	var all []deletion
	for _, t := range req.Topics {
		for _, q := range t.Partitions {
			k := key{Topic: t.Topic, Partition: q.Partition}
			d := deletion{p: r.lookup(k)}
			if d.p == nil {
				d.err = r.missing(k)
			} else {
				d.offset, d.err = d.p.deleteRecords(q.Offset)
			}
			all = append(all, d)
		}
	}
	for _, t := range req.Topics {
		out := kmsg.NewDeleteRecordsResponseTopic()
		out.Topic = t.Topic
		for _, q := range t.Partitions {
			d := all[0]
			all = all[1:]
			part := kmsg.NewDeleteRecordsResponseTopicPartition()
			part.Partition, part.LowWatermark = q.Partition, -1
			if d.err == nil {
				part.LowWatermark, d.err = d.p.deleted(ctx, d.offset)
			}
			part.ErrorCode = code(d.err)
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// deleteRecords makes all records below offset unreadable; -1 stands for the high watermark.
func (p *partition) deleteRecords(offset int64) (int64, error) {
	p.writer.Lock()
	defer p.writer.Unlock()
	p.mu.Lock()
	err, hw := p.leads(noEpoch), p.hw
	p.mu.Unlock()
	if offset == -1 {
		offset = hw
	}
	switch {
	case err != nil:
		return 0, err
	case !strings.Contains(p.log.Config().CleanupPolicy, "delete"):
		return 0, kerr.PolicyViolation
	case offset < 0 || offset > hw:
		return 0, kerr.OffsetOutOfRange
	}
	if err := p.log.SetStart(offset); err != nil {
		return 0, err
	}
	p.mu.Lock()
	wake(p.tail)
	p.mu.Unlock()
	return offset, nil
}

// deleted waits until the low watermark has reached offset.
func (p *partition) deleted(ctx context.Context, offset int64) (low int64, err error) {
	w := newPoll()
	p.mu.Lock()
	p.deletions = append(p.deletions, w)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.deletions = without(p.deletions, w)
		p.mu.Unlock()
	}()
	for {
		start := p.log.Start()
		p.mu.Lock()
		if err = p.leads(noEpoch); err == nil {
			low = p.lead.lowWatermark(start, p.r.cfg.Alive)
		}
		p.mu.Unlock()
		if err != nil || low >= offset {
			return low, err
		}
		select {
		case <-w:
		case <-ctx.Done():
			return low, kerr.RequestTimedOut
		}
	}
}
