package group

import (
	"fmt"
	"time"
)

// load reads the groups of a partition.
func (c *Coordinator) load(p *partition) (install func(), err error) {
	m, err := c.remember(p)
	return func() { c.install(p, m) }, err
}

func (c *Coordinator) remember(p *partition) (*memory, error) {
	m := newMemory()
	for raw, err := range c.cfg.Store.Read(p.Number) {
		if err == nil {
			err = p.Ctx.Err()
		}
		if err == nil {
			err = m.read(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("load groups of __consumer_offsets/%d: %w", p.Number, err)
		}
	}
	return m, nil
}

// install makes groups of what was read.
func (c *Coordinator) install(p *partition, m *memory) {
	now := time.Now()
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
}
