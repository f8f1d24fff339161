package group

import (
	"fmt"
	"time"
)

// retryLoad is how long loading waits after a failure.
const retryLoad = time.Second

func (c *Coordinator) load(p *partition) {
	began := time.Now()
	for {
		m, err := c.remember(p)
		if err == nil {
			if n := c.install(p, m); n > 0 {
				c.cfg.Log.Info("groups loaded", "partition", p.number, "epoch", p.epoch.Load(), "groups", n, "after", time.Since(began))
			}
			return
		}
		if p.ctx.Err() != nil {
			return
		}
		c.cfg.Log.Warn("groups not loaded, trying again", "partition", p.number, "err", err)
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(retryLoad):
		}
	}
}

func (c *Coordinator) remember(p *partition) (*memory, error) {
	m := newMemory()
	for raw, err := range c.cfg.Store.Read(p.number) {
		if err == nil {
			err = p.ctx.Err()
		}
		if err == nil {
			err = m.read(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("load groups of __consumer_offsets/%d: %w", p.number, err)
		}
	}
	return m, nil
}

// install makes groups of what was read and opens the partition for requests.
func (c *Coordinator) install(p *partition, m *memory) (groups int) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return 0
	}
	for id, value := range m.groups {
		g := c.add(p, id)
		g.mu.Lock()
		if err := g.fsm.restore(value, now); err != nil {
			c.cfg.Log.Error("group metadata cannot be read, the group begins anew", "group", id, "err", err)
		}
		if n, most := len(g.fsm.members), c.cfg.Settings.MaxSize; n > most {
			c.cfg.Log.Warn("group has more members than group.max.size allows, those who rejoin last are out", "group", id, "members", n, "max", most)
			g.fsm.rebalance(now)
		}
		c.arm(g)
		g.mu.Unlock()
	}
	for id, offsets := range m.commits {
		if len(offsets) > 0 {
			c.add(p, id).offsets = offsets
		}
	}
	for producerID, groups := range m.undecided {
		for id, offsets := range groups {
			c.add(p, id).undecided.put(producerID, offsets)
		}
	}
	close(p.loaded)
	return len(p.groups)
}
