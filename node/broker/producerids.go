package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/go-zookeeper/zk"

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
	for p.next == p.end {
		if err := p.takeBlock(ctx); err != nil && !errors.Is(err, zk.ErrBadVersion) { // another broker was faster
			return 0, fmt.Errorf("take producer ids: %w", err)
		}
	}
	p.next++
	return p.next - 1, nil
}

func (p *producerIDs) takeBlock(ctx context.Context) error {
	data, stat, err := p.zk.get(ctx, layout.ProducerIDBlock)
	if err != nil {
		return err
	}
	var start int64
	if len(data) > 0 {
		last, err := layout.Decode[layout.ProducerIDs](layout.ProducerIDBlock, data)
		if err != nil {
			return err
		}
		end, err := strconv.ParseInt(last.End, 10, 64)
		if err != nil || end > 1<<63-2-producerIDBlock {
			return fmt.Errorf("znode %s: block_end %q", layout.ProducerIDBlock, last.End)
		}
		start = end + 1
	}
	block := layout.ProducerIDs{
		Version: 1, Broker: p.broker,
		Start: strconv.FormatInt(start, 10), End: strconv.FormatInt(start+producerIDBlock-1, 10),
	}
	err = p.zk.do(ctx, func() error {
		_, err := p.zk.Set(layout.ProducerIDBlock, layout.Encode(block), stat.Version)
		return err
	})
	if err != nil { // if the answer was lost, the block is: ids need not be dense
		return err
	}
	p.next, p.end = start, start+producerIDBlock
	return nil
}
