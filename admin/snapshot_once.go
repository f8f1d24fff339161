package admin

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Snapshot reads the cluster once. A broker that does not answer is named in it and costs its deadline.
func (c *Client) Snapshot(ctx context.Context, interest Interest) (*Snapshot, error) {
	resp, err := c.peers.metadata(ctx, nil)
	if err != nil {
		return nil, unreachable(c.cfg.Bootstrap, err)
	}
	look := &look{world: newWorld(c.cfg)}
	look.world.applyMetadata(resp, time.Now())
	if interest.Groups || interest.Group != "" { // first: they say of which topics offsets are needed
		look.rounds(ctx, c.peers, func(r *round) { r.groups, r.group = interest.Groups, interest.Group })
	}
	wanted := look.world.offsetsWanted(interest, nil)
	look.ask(func() {
		readMode(ctx, c.peers, look.post)
		if look.showsQuorum() {
			readQuorum(ctx, c.peers, nil, look.post)
		}
	})
	look.ask(func() { readMinISR(ctx, c.peers, look.topics(), look.post) })
	if interest.Configs != "" {
		look.ask(func() { readConfigs(ctx, c.peers, interest.Configs, look.post) })
	}
	for _, coordinator := range slices.Clone(look.world.coordinators) {
		look.ask(func() {
			answer, err := askCoordinator(ctx, c.prober, coordinator.Address, interest.Coordinators, c.cfg.Deadline)
			look.post(func(w *world) { w.applyCoordinator(coordinator.Address, answer, err) })
		})
	}
	look.rounds(ctx, c.peers, func(r *round) {
		r.offsets = wanted.of(r.broker).all()
		r.starts, r.logDirs = r.offsets, interest.LogDirs
	})
	look.waiting.Wait()
	return look.world.snapshot(time.Now()), ctx.Err()
}

// readMode finds out where the cluster keeps its metadata, unless the user said so.
func readMode(ctx context.Context, p *peers, post func(func(*world))) {
	resp, err := p.askAny(ctx, p.addrs(), func() kmsg.Request { return kmsg.NewPtrApiVersionsRequest() },
		func(kmsg.Response) error { return nil })
	if err == nil {
		post(func(w *world) {
			if w.mode == ModeUnknown {
				w.mode = modeOf(resp.(*kmsg.ApiVersionsResponse))
				w.quorumHidden = !offers(resp.(*kmsg.ApiVersionsResponse), describeQuorum)
			}
		})
	}
}

// look is one reading of a cluster by many goroutines.
type look struct {
	mu      sync.Mutex
	world   *world
	waiting sync.WaitGroup
}

func (l *look) post(apply func(*world)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	apply(l.world)
}

func (l *look) ask(f func()) { l.waiting.Go(f) }

func (l *look) showsQuorum() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.world.mode == ModeKRaft && !l.world.quorumHidden
}

func (l *look) topics() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.world.topics))
	for name := range l.world.topics {
		names = append(names, name)
	}
	return names
}

// rounds asks every broker and waits for all of them.
func (l *look) rounds(ctx context.Context, p *peers, fill func(*round)) {
	l.mu.Lock()
	var rounds []round
	for id, b := range l.world.brokers {
		if addr := p.addr(id); addr != "" && b.Error == "" {
			r := round{broker: id, addr: addr}
			fill(&r)
			rounds = append(rounds, r)
		}
	}
	l.mu.Unlock()
	var waiting sync.WaitGroup
	for _, r := range rounds {
		waiting.Go(func() { r.run(ctx, p, l.post) })
	}
	waiting.Wait()
}
