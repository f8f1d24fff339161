package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// producerIDs gives out ids that no other producer of the cluster has, from blocks that brokers take in turn.
type producerIDs struct {
	zk     *session
	broker int32

	mu        sync.Mutex // held while a block is taken
	next, end int64      // what is left of the block, end excluded
}

const producerIDBlock = 1000

func (p *producerIDs) take(ctx context.Context) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next == p.end {
		start, err := takeProducerIDs(ctx, p.zk, p.broker)
		if err != nil {
			return 0, err
		}
		p.next, p.end = start, start+producerIDBlock
	}
	p.next++
	return p.next - 1, nil
}

// takeProducerIDs takes the next block for a broker and returns its first id.
func takeProducerIDs(ctx context.Context, s *session, broker int32) (start int64, err error) {
	for {
		start, err = tryProducerIDs(ctx, s, broker)
		if errors.Is(err, zk.ErrBadVersion) { // another broker was faster
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("take producer ids: %w", err)
		}
		return start, nil
	}
}

func tryProducerIDs(ctx context.Context, s *session, broker int32) (start int64, err error) {
	data, stat, err := s.get(ctx, layout.ProducerIDBlock)
	if err != nil {
		return 0, err
	}
	if len(data) > 0 {
		last, err := layout.Decode[layout.ProducerIDs](layout.ProducerIDBlock, data)
		if err != nil {
			return 0, err
		}
		end, err := strconv.ParseInt(last.End, 10, 64)
		if err != nil || end > 1<<63-2-producerIDBlock {
			return 0, fmt.Errorf("znode %s: block_end %q", layout.ProducerIDBlock, last.End)
		}
		start = end + 1
	}
	block := layout.ProducerIDs{
		Version: 1, Broker: broker,
		Start: strconv.FormatInt(start, 10), End: strconv.FormatInt(start+producerIDBlock-1, 10),
	}
	return start, s.do(ctx, func() error { // if the answer is lost, the block is: ids need not be dense
		_, err := s.Set(layout.ProducerIDBlock, layout.Encode(block), stat.Version)
		return err
	})
}

// allocateProducerIDs serves AllocateProducerIds, version 0: the controller takes a block for a broker that asks.
func (b *Broker) allocateProducerIDs(ctx context.Context, req *kmsg.AllocateProducerIDsRequest) *kmsg.AllocateProducerIDsResponse {
	response := req.ResponseKind().(*kmsg.AllocateProducerIDsResponse)
	err := b.asksAsRegistered(ctx, req.BrokerID, req.BrokerEpoch)
	if err == nil {
		response.ProducerIDLen = producerIDBlock
		response.ProducerIDStart, err = takeProducerIDs(ctx, b.zk, req.BrokerID)
	}
	response.ErrorCode = codeOf(err)
	return response
}

// asksAsRegistered refuses what only the controller answers, and brokers that are not registered with this epoch.
func (b *Broker) asksAsRegistered(ctx context.Context, id int32, epoch int64) error {
	if !b.controller.Active() {
		return kerr.NotController
	}
	_, stat, err := b.zk.get(ctx, layout.Broker(id))
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return kerr.BrokerIDNotRegistered
	case err != nil:
		return err
	case epoch != stat.Czxid:
		return kerr.StaleBrokerEpoch
	}
	return nil
}
