package records

import (
	"context"
	"sync"
	"time"
)

// Batches is the conflating channel that Run feeds: a reader that is slow gets the newest records and is told how
// many it missed. Closed when Run returns.
func (t *Tail) Batches() <-chan Batch { return t.batches }

// cadence is the least time between two batches.
const cadence = 40 * time.Millisecond

// Run reads until ctx ends or, without Follow, the end is reached. Batches hands out what it reads.
func (t *Tail) Run(ctx context.Context) error {
	defer close(t.batches)
	r, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer r.client.Close()
	c := &conflater{limit: t.spec.Buffer, out: t.batches}
	r.seen = c.note
	ctx, stop := context.WithCancel(ctx)
	var flushing sync.WaitGroup
	flushing.Go(func() {
		tick := time.NewTicker(cadence)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				c.flush(now)
			}
		}
	})
	err = r.run(ctx, func(record Record) error {
		c.add(record)
		return nil
	})
	stop()
	flushing.Wait()
	c.flush(time.Now())
	if err == errEnough {
		return nil
	}
	return err
}

// conflater joins what a reader has not taken yet with what is new.
type conflater struct {
	limit int
	out   chan Batch

	mu      sync.Mutex
	pending Batch
	changed bool
}

func (c *conflater) add(r Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending.Records = append(c.pending.Records, r)
	if len(c.pending.Records) >= 2*c.limit {
		c.cut()
	}
	c.changed = true
}

// cut keeps the newest.
func (c *conflater) cut() {
	if extra := len(c.pending.Records) - c.limit; extra > 0 {
		c.pending.Missed += int64(extra)
		c.pending.Records = append([]Record(nil), c.pending.Records[extra:]...)
	}
}

func (c *conflater) note(read int64, problem string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changed = c.changed || c.pending.Read != read || c.pending.Problem != problem
	c.pending.Read, c.pending.Problem = read, problem
}

// flush puts what is new into the channel, together with what is still in it.
func (c *conflater) flush(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.changed {
		return
	}
	select {
	case unread := <-c.out:
		c.pending.Records = append(unread.Records[:len(unread.Records):len(unread.Records)], c.pending.Records...)
		c.pending.Missed += unread.Missed
	default:
	}
	c.cut()
	c.pending.At = now
	c.out <- c.pending // capacity 1, and nobody else sends
	c.pending = Batch{Read: c.pending.Read, Problem: c.pending.Problem}
	c.changed = false
}
