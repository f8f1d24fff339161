package group

import (
	"maps"
	"slices"
	"time"

	"kdrill/node/log"
)

// forget deletes offsets of a group that which, called under the group's lock, picks; with whole also the group, if no offset is
// left. Deletions are records without value; they are in the log before memory forgets.
func (c *Coordinator) forget(g *group, which func() ([]place, error), whole bool) error {
	g.turn.Lock()
	defer g.turn.Unlock()
	g.mu.Lock()
	gone, err := which()
	whole = whole && len(gone) == len(g.offsets) && g.fsm.state == empty && len(g.fsm.pending) == 0 && len(g.undecided) == 0
	stored := g.fsm.generation > 0
	g.mu.Unlock()
	if err != nil {
		return err
	}
	now := time.Now()
	var records []log.Record
	for _, at := range gone {
		records = append(records, log.Record{Timestamp: now.UnixMilli(), Key: offsetKey(g.fsm.id, at)})
	}
	if whole && stored {
		records = append(records, log.Record{Timestamp: now.UnixMilli(), Key: groupKey(g.fsm.id)})
	}
	if len(records) > 0 {
		if err := c.append(g, records...); err != nil {
			return commitError(err)
		}
	}
	p := g.partition
	p.Mu.Lock()
	defer p.Mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, at := range gone {
		delete(g.offsets, at)
	}
	if whole && g.fsm.state == empty && len(g.fsm.pending) == 0 && len(g.undecided) == 0 && p.Items[g.fsm.id] == g {
		delete(p.Items, g.fsm.id)
		g.fsm.end(nil, now)
		g.halt()
	}
	return nil
}

// expire deletes offsets that nobody needs any more, and groups without members and offsets.
func (c *Coordinator) expire(now time.Time) {
	groups, _ := c.led.All()
	for _, g := range groups {
		err := c.forget(g, func() ([]place, error) { return g.expired(now, c.cfg.Settings.Retention), nil }, true)
		if err != nil {
			c.cfg.Log.Warn("offsets not expired", "group", g.fsm.id, "err", err)
		}
	}
}

// TopicDeleted drops what groups committed for a topic, in the background: a topic that is created again under the name begins
// without a past.
func (c *Coordinator) TopicDeleted(topic string) {
	c.led.Spawn(func() {
		groups, _ := c.led.All()
		for _, g := range groups {
			err := c.forget(g, func() (gone []place, err error) {
				for at := range g.offsets {
					if at.topic == topic {
						gone = append(gone, at)
					}
				}
				return gone, nil
			}, false)
			if err != nil {
				c.cfg.Log.Warn("offsets of a deleted topic stay", "group", g.fsm.id, "topic", topic, "err", err)
			}
		}
	})
}

// expired picks the offsets that are past their retention: it counts from when the group lost its last member, for topics that
// nobody in a stable group subscribes to from the commit, and not at all for others.
func (g *group) expired(now time.Time, retention time.Duration) (gone []place) {
	topics, known := g.fsm.subscribed()
	for _, at := range slices.Collect(maps.Keys(g.offsets)) {
		v := g.offsets[at]
		from := v.at
		switch {
		case g.fsm.state == empty && g.fsm.protocolType != "":
			from = g.fsm.since
		case g.fsm.state == empty:
		case g.fsm.state != stable || !known || topics[at.topic]:
			continue
		}
		limit := from.Add(retention)
		if !v.expires.IsZero() {
			limit = v.expires
		}
		if !now.Before(limit) {
			gone = append(gone, at)
		}
	}
	return gone
}
