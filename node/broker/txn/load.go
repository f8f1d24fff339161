package txn

import "fmt"

// load reads the transactional ids of a partition.
func (c *Coordinator) load(p *partition) (install func(), err error) {
	all, err := c.remember(p)
	return func() { c.install(p, all) }, err
}

func (c *Coordinator) remember(p *partition) (memory, error) {
	all := memory{}
	for raw, err := range c.cfg.Store.Read(p.Number) {
		if err == nil {
			err = p.Ctx.Err()
		}
		if err == nil {
			err = all.read(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("load transactional ids of __transaction_state/%d: %w", p.Number, err)
		}
	}
	return all, nil
}

// install makes transactions of what was read, and goes on with those that are decided but not complete.
func (c *Coordinator) install(p *partition, all memory) {
	for id, m := range all {
		t := &transaction{id: id, partition: p, m: m}
		p.Items[id] = t
		if m.preparing() {
			c.led.Spawn(func() { c.finish(t) })
		}
	}
}
