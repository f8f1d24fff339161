package admin

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// round is what one broker is asked in one refresh: a handful of requests, however many topics there are.
type round struct {
	broker  int32
	addr    string
	offsets asked // partitions it leads of which end offsets are wanted
	starts  asked // those of which log start offsets are
	logDirs bool  // of all its partitions
	sizes   asked // of these only
	groups  bool
	group   string // only this one
}

// run asks and posts each answer as it comes. The first request that is not answered ends the round.
func (r round) run(ctx context.Context, p *peers, post func(func(*world))) {
	steps := r.steps()
	if len(steps) == 0 {
		steps = append(steps, r.ping)
	}
	for _, ask := range steps {
		if !r.step(ctx, p, post, ask) {
			return
		}
	}
}

// ask sends one request and returns what its answer changes.
type ask func(ctx context.Context, p *peers) (func(*world), error)

func (r round) steps() (steps []ask) {
	if r.groups || r.group != "" {
		steps = append(steps, r.askGroups)
	}
	offsets := func(wanted asked, which int64) {
		for _, some := range wanted.pieces(offsetsAtOnce) {
			steps = append(steps, func(ctx context.Context, p *peers) (func(*world), error) { return r.askOffsets(ctx, p, some, which) })
		}
	}
	offsets(r.offsets, latest)
	offsets(r.starts, earliest)
	switch {
	case r.logDirs:
		steps = append(steps, r.askLogDirs)
	case len(r.sizes) > 0:
		steps = append(steps, r.askSizes)
	}
	return steps
}

func (r round) step(ctx context.Context, p *peers, post func(func(*world)), ask ask) bool {
	apply, err := ask(ctx, p)
	if ctx.Err() != nil {
		return false
	}
	at := time.Now()
	post(func(w *world) {
		b := w.broker(r.broker)
		if err != nil {
			b.Error = reasonOf(err)
			return
		}
		b.Answered, b.Error = at, ""
		apply(w)
	})
	return err == nil
}

// ping asks for nothing but an answer.
func (r round) ping(ctx context.Context, p *peers) (func(*world), error) {
	_, err := p.ask(ctx, r.addr, kmsg.NewPtrApiVersionsRequest())
	return func(*world) {}, err
}

// modeOf tells the modes apart: only brokers with ZooKeeper offer LeaderAndIsr, which their controller sends them.
func modeOf(resp *kmsg.ApiVersionsResponse) Mode {
	if offers(resp, leaderAndISR) {
		return ModeZooKeeper
	}
	return ModeKRaft
}

// API keys that tell what a broker is.
const (
	leaderAndISR   = 4
	describeQuorum = 55
)

func offers(resp *kmsg.ApiVersionsResponse, key int16) bool {
	return slices.ContainsFunc(resp.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == key })
}

// The timestamps that stand for the ends of a log.
const (
	latest   = -1
	earliest = -2
)

func (r round) askOffsets(ctx context.Context, p *peers, wanted asked, which int64) (func(*world), error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.Topics = make([]kmsg.ListOffsetsRequestTopic, 0, len(wanted))
	for _, one := range wanted {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic, t.Partitions = one.topic, make([]kmsg.ListOffsetsRequestTopicPartition, 0, len(one.partitions))
		for _, id := range one.partitions {
			q := kmsg.NewListOffsetsRequestTopicPartition()
			q.Partition, q.CurrentLeaderEpoch, q.Timestamp, q.MaxNumOffsets = id, -1, which, 1
			t.Partitions = append(t.Partitions, q)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := p.ask(ctx, r.addr, req)
	if err != nil {
		return nil, err
	}
	at := time.Now()
	return func(w *world) {
		for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, q := range t.Partitions {
				offset := q.Offset
				if len(q.OldStyleOffsets) > 0 {
					offset = q.OldStyleOffsets[0]
				}
				if q.ErrorCode == 0 && offset >= 0 {
					w.applyOffset(t.Topic, q.Partition, which, offset, at)
				}
			}
		}
	}, nil
}

func (w *world) applyOffset(topic string, partition int32, which, offset int64, at time.Time) {
	t, ok := w.topics[topic]
	if !ok || int(partition) >= len(t.Partitions) || partition < 0 {
		return
	}
	w.change(topic, partition, func(p *Partition) {
		if which == earliest {
			p.Start = offset
			return
		}
		p.PerSecond = rate(p.PerSecond, p.End, offset, at.Sub(p.OffsetsAt))
		p.End, p.OffsetsAt = offset, at
	})
}

// askLogDirs reads the sizes of all replicas on the broker.
func (r round) askLogDirs(ctx context.Context, p *peers) (func(*world), error) {
	resp, err := p.ask(ctx, r.addr, kmsg.NewPtrDescribeLogDirsRequest())
	if err != nil {
		return nil, err
	}
	at := time.Now()
	return func(w *world) {
		b := w.broker(r.broker)
		b.LogBytes, b.LogBytesAt = w.applySizes(r.broker, resp.(*kmsg.DescribeLogDirsResponse), at), at
	}, nil
}

// askSizes reads the sizes of some partitions.
func (r round) askSizes(ctx context.Context, p *peers) (func(*world), error) {
	req := kmsg.NewPtrDescribeLogDirsRequest()
	for _, one := range r.sizes {
		t := kmsg.NewDescribeLogDirsRequestTopic()
		t.Topic, t.Partitions = one.topic, one.partitions
		req.Topics = append(req.Topics, t)
	}
	resp, err := p.ask(ctx, r.addr, req)
	if err != nil {
		return nil, err
	}
	at := time.Now()
	return func(w *world) { w.applySizes(r.broker, resp.(*kmsg.DescribeLogDirsResponse), at) }, nil
}

// applySizes takes in the sizes of replicas and returns their sum.
func (w *world) applySizes(broker int32, resp *kmsg.DescribeLogDirsResponse, at time.Time) (total int64) {
	for i := range resp.Dirs {
		if resp.Dirs[i].ErrorCode != 0 {
			continue
		}
		for _, t := range resp.Dirs[i].Topics {
			for _, q := range t.Partitions {
				total += q.Size
				w.applySize(broker, t.Topic, q, at)
			}
		}
	}
	return total
}

func (w *world) applySize(broker int32, topic string, q kmsg.DescribeLogDirsResponseDirTopicPartition, at time.Time) {
	t, ok := w.topics[topic]
	if !ok || q.IsFuture || int(q.Partition) >= len(t.Partitions) || q.Partition < 0 || t.Partitions[q.Partition].Leader != broker {
		return
	}
	w.change(topic, q.Partition, func(p *Partition) { p.Size, p.SizeAt = q.Size, at })
}

// askGroups reads the groups that the broker coordinates.
func (r round) askGroups(ctx context.Context, p *peers) (func(*world), error) {
	resp, err := p.ask(ctx, r.addr, kmsg.NewPtrListGroupsRequest())
	if err != nil {
		return nil, err
	}
	listed := resp.(*kmsg.ListGroupsResponse)
	if err := kerr.ErrorForCode(listed.ErrorCode); err != nil {
		return func(*world) {}, nil // it still loads them; what is known stays
	}
	var names []string
	for _, g := range listed.Groups {
		if (g.ProtocolType == "consumer" || g.ProtocolType == "") && (r.groups || g.Group == r.group) {
			names = append(names, g.Group)
		}
	}
	slices.Sort(names)
	groups, err := describeGroups(ctx, p, r.addr, r.broker, names)
	if err != nil {
		return nil, err
	}
	at := time.Now()
	return func(w *world) { w.applyGroups(r.broker, groups, r.groups, at) }, nil
}
