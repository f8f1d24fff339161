package txn

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// retryLoad is how long loading waits after a failure.
const retryLoad = time.Second

func (c *Coordinator) load(p *partition) {
	began := time.Now()
	for {
		all, err := c.remember(p)
		if err == nil {
			c.install(p, all)
			if len(all) > 0 {
				c.cfg.Log.Info("transactional ids loaded", "partition", p.number, "epoch", p.epoch.Load(), "ids", len(all), "after", time.Since(began))
			}
			return
		}
		if p.ctx.Err() != nil {
			return
		}
		c.cfg.Log.Warn("transactional ids not loaded, trying again", "partition", p.number, "err", err)
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(retryLoad):
		}
	}
}

func (c *Coordinator) remember(p *partition) (memory, error) {
	all := memory{}
	for raw, err := range c.cfg.Store.Read(p.number) {
		if err == nil {
			err = p.ctx.Err()
		}
		if err == nil {
			err = all.read(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("load transactional ids of __transaction_state/%d: %w", p.number, err)
		}
	}
	return all, nil
}

// install opens the partition for requests, and goes on with transactions that are decided but not complete.
func (c *Coordinator) install(p *partition, all memory) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, m := range all {
		t := &transaction{id: id, partition: p, m: m}
		p.ids[id] = t
		if m.preparing() {
			c.spawn(func() { c.finish(t) })
		}
	}
	close(p.loaded)
}

// all returns the transactional ids of all loaded partitions, and whether others are loading.
func (c *Coordinator) all() (ids []*transaction, loading bool) {
	c.mu.RLock()
	partitions := slices.Collect(maps.Values(c.partitions))
	c.mu.RUnlock()
	for _, p := range partitions {
		select {
		case <-p.loaded:
			p.mu.Lock()
			ids = slices.AppendSeq(ids, maps.Values(p.ids))
			p.mu.Unlock()
		default:
			loading = true
		}
	}
	return ids, loading
}
