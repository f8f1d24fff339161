package admin

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is asked, as keys of busy and due.
const (
	askMetadata = "metadata"
	askMode     = "mode"
	askMinISR   = "min-isr"
	askConfigs  = "configs"
	askStarts   = "starts/"
	askLogDirs  = "log-dirs/"
)

// How often what changes slowly is asked.
const (
	startsEvery  = 5 * time.Second
	logDirsEvery = 5 * time.Second
	minISREvery  = 30 * time.Second
	configsEvery = 5 * time.Second
	unknownEvery = time.Second // any of these, while something that it would tell is not known
)

// poll starts what is due and not being asked already.
func (o *observation) poll(ctx context.Context) {
	now := time.Now()
	o.start(ctx, askMetadata, o.askMetadata)
	for i := range o.world.coordinators {
		if o.world.mode == ModeKRaft {
			break // the leader of the quorum speaks for all of them
		}
		address, details := o.world.coordinators[i].Address, o.wanted().Coordinators
		o.start(ctx, address, func(ctx context.Context, post func(func(*world))) {
			c, err := askCoordinator(ctx, o.prober, address, details, min(o.cfg.Deadline, 500*time.Millisecond))
			post(func(w *world) { w.applyCoordinator(address, c, err) })
		})
	}
	if !o.known() {
		return
	}
	if o.world.mode == ModeUnknown {
		o.start(ctx, askMode, func(ctx context.Context, post func(func(*world))) { readMode(ctx, o.peers, post) })
	}
	if o.world.mode == ModeKRaft && !o.world.quorumHidden {
		voters := o.world.voters()
		o.start(ctx, askQuorum, func(ctx context.Context, post func(func(*world))) { readQuorum(ctx, o.peers, voters, post) })
	}
	interest := o.wanted()
	if interest.Sessions && o.world.mode != ModeKRaft {
		o.sessions(ctx, now)
	}
	wanted := o.world.offsetsWanted(interest)
	for id := range o.world.brokers {
		o.round(ctx, id, interest, wanted[id], now)
	}
	o.askConfigs(ctx, interest, now)
}

func (o *observation) known() bool { return !o.world.topicsAt.IsZero() }

// start runs ask beside the loop, unless the same is under way.
func (o *observation) start(ctx context.Context, key string, ask func(ctx context.Context, post func(func(*world)))) {
	if o.busy[key] {
		return
	}
	o.busy[key] = true
	post := func(apply func(*world)) {
		select {
		case o.answers <- apply:
		case <-ctx.Done():
		}
	}
	o.tasks.Go(func() {
		ask(ctx, post)
		post(func(*world) { delete(o.busy, key) })
	})
}

// isDue says whether it is time for what is asked less often, and notes that it is asked now.
func (o *observation) isDue(key string, every time.Duration, now time.Time) bool {
	if now.Sub(o.due[key]) < every {
		return false
	}
	o.due[key] = now
	return true
}

func (o *observation) askMetadata(ctx context.Context, post func(func(*world))) {
	resp, err := o.peers.metadata(ctx, nil)
	if ctx.Err() != nil {
		return
	}
	at := time.Now()
	post(func(w *world) {
		if err != nil {
			w.problem = unreachable(o.cfg.Bootstrap, err).Error()
			if w.clusterID == "" { // it may just be starting: whoever waits for it should not wait for a whole interval
				time.AfterFunc(min(o.every(), 200*time.Millisecond), o.Refresh)
			}
			return
		}
		first := !w.known()
		for _, p := range w.applyMetadata(resp, at) {
			o.watcher.Reread(p.Topic, p.Partition)
		}
		if first { // now that the brokers are known, they can be asked
			o.Refresh()
		}
	})
}

// round asks one broker what it alone knows.
func (o *observation) round(ctx context.Context, id int32, interest Interest, offsets map[string][]int32, now time.Time) {
	key := strconv.Itoa(int(id))
	addr := o.peers.addr(id)
	if addr == "" || o.busy[key] {
		return
	}
	r := round{
		broker: id, addr: addr, offsets: offsets, groups: interest.Groups, group: interest.Group,
		starts:  len(offsets) > 0 && o.isDue(askStarts+key, o.world.startsEvery(offsets), now),
		logDirs: interest.LogDirs && o.isDue(askLogDirs+key, logDirsEvery, now),
	}
	o.start(ctx, key, func(ctx context.Context, post func(func(*world))) { r.run(ctx, o.peers, post) })
}

// startsEvery is how often log start offsets are asked: more often while one of these partitions' is unknown.
func (w *world) startsEvery(partitions map[string][]int32) time.Duration {
	for name := range partitions {
		if t := w.topics[name]; t != nil && slices.ContainsFunc(t.Partitions, func(p Partition) bool { return p.Leader >= 0 && p.Start < 0 }) {
			return unknownEvery
		}
	}
	return startsEvery
}

// offsetsWanted lists by leader the partitions whose offsets somebody wants to see.
func (w *world) offsetsWanted(i Interest) map[int32]map[string][]int32 {
	want := map[string]bool{}
	for _, t := range i.Offsets {
		want[t] = true
	}
	for _, g := range w.groups {
		if i.Groups || g.ID == i.Group {
			for _, p := range g.Partitions {
				want[p.Topic] = true
			}
		}
	}
	byLeader := map[int32]map[string][]int32{}
	for name, t := range w.topics {
		if !i.AllOffsets && !want[name] {
			continue
		}
		for _, p := range t.Partitions {
			if p.Leader < 0 {
				continue
			}
			if byLeader[p.Leader] == nil {
				byLeader[p.Leader] = map[string][]int32{}
			}
			byLeader[p.Leader][name] = append(byLeader[p.Leader][name], p.ID)
		}
	}
	return byLeader
}

// askConfigs asks any broker for min.insync.replicas, of topics where it is unknown or now and then of all, and for all
// configs of the topic on screen.
func (o *observation) askConfigs(ctx context.Context, interest Interest, now time.Time) {
	if !o.busy[askMinISR] {
		names := o.world.minISRUnknown()
		if len(o.world.topics) > 0 && o.isDue(askMinISR, minISREvery, now) {
			names = slices.Sorted(maps.Keys(o.world.topics))
		} else if len(names) > 0 && !o.isDue(askMinISR+"/unknown", unknownEvery, now) {
			names = nil
		}
		if len(names) > 0 {
			o.start(ctx, askMinISR, func(ctx context.Context, post func(func(*world))) { readMinISR(ctx, o.peers, names, post) })
		}
	}
	if topic := interest.Configs; topic != "" && !o.busy[askConfigs+topic] && o.isDue(askConfigs+topic, configsEvery, now) {
		o.start(ctx, askConfigs+topic, func(ctx context.Context, post func(func(*world))) { readConfigs(ctx, o.peers, topic, post) })
	}
}

func (w *world) minISRUnknown() (names []string) {
	for name, t := range w.topics {
		if t.MinISR == 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// configsAtOnce bounds one answer: a broker describes this many topics in a few milliseconds.
const configsAtOnce = 2000

func readMinISR(ctx context.Context, p *peers, topics []string, post func(func(*world))) {
	for chunk := range slices.Chunk(topics, configsAtOnce) {
		resp, err := describeConfigs(ctx, p, chunk, "min.insync.replicas")
		if err != nil {
			return // unknown stays unknown; the brokers' own rounds tell who does not answer
		}
		post(func(w *world) {
			for _, r := range resp.Resources {
				if t, ok := w.topics[r.ResourceName]; ok && r.ErrorCode == 0 && len(r.Configs) > 0 && r.Configs[0].Value != nil {
					if n, err := strconv.Atoi(*r.Configs[0].Value); err == nil {
						t.MinISR = n
					}
				}
			}
		})
	}
}

func readConfigs(ctx context.Context, p *peers, topic string, post func(func(*world))) {
	entries, err := topicConfigs(ctx, p, topic)
	if err != nil {
		return
	}
	own := map[string]string{}
	for _, e := range entries {
		if e.Source == sourceTopic {
			own[e.Name] = e.Value
		}
	}
	post(func(w *world) {
		if t, ok := w.topics[topic]; ok {
			t.Configs = own
		}
	})
}

// describeConfigs reads these configs, all if none is named, of topics; any broker knows them.
func describeConfigs(ctx context.Context, p *peers, topics []string, names ...string) (*kmsg.DescribeConfigsResponse, error) {
	resp, err := p.askAny(ctx, p.addrs(), func() kmsg.Request {
		req := kmsg.NewPtrDescribeConfigsRequest()
		for _, t := range topics {
			r := kmsg.NewDescribeConfigsRequestResource()
			r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, t, names
			req.Resources = append(req.Resources, r)
		}
		return req
	}, func(kmsg.Response) error { return nil })
	if err != nil {
		return nil, err
	}
	return resp.(*kmsg.DescribeConfigsResponse), nil
}
