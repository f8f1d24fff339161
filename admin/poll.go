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
	askSizes    = "sizes/"
)

// How often what changes slowly is asked.
const (
	startsEvery  = 5 * time.Second
	logDirsEvery = 5 * time.Second
	minISREvery  = 30 * time.Second
	minISRRarely = 5 * time.Minute // while ZooKeeper tells that a config changed
	configsEvery = 5 * time.Second
	unknownEvery = time.Second // any of these, while something that it would tell is not known
)

// poll starts what is due and not being asked already.
func (o *observation) poll(ctx context.Context) {
	now := time.Now()
	o.metadata(ctx, now)
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
	wanted := o.world.offsetsWanted(interest, &o.turn)
	for id := range o.world.brokers {
		o.round(ctx, id, interest, wanted.of(id), now)
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

// rare is when all topics are asked for again.
type rare struct {
	asked time.Time
	every time.Duration
}

// rarely is how long all topics are not asked for at most while ZooKeeper tells of every change.
const rarely = 15 * time.Second

// due says whether all topics are asked for in a refresh: in each one unless somebody tells of changes, else after twice as
// long as the last time.
func (r *rare) due(now time.Time, interval time.Duration, told bool) bool {
	if told && now.Sub(r.asked) < r.every {
		return false
	}
	r.asked = now
	r.every = min(max(2*r.every, interval), max(rarely, interval))
	if !told {
		r.every = 0
	}
	return true
}

// soon is for when something changed: there may be more.
func (r *rare) soon() { r.every = 0 }

// metadata asks for the brokers, and for all topics where nobody else tells what becomes of them. Where ZooKeeper does, the
// topics are only checked against the brokers' word, the more rarely the longer nothing changes.
func (o *observation) metadata(ctx context.Context, now time.Time) {
	if o.busy[askMetadata] || o.world.bare {
		return
	}
	all := o.topics.due(now, o.every(), o.world.told())
	o.start(ctx, askMetadata, func(ctx context.Context, post func(func(*world))) { o.askMetadata(ctx, all, post) })
}

func (o *observation) askMetadata(ctx context.Context, all bool, post func(func(*world))) {
	topics := []string{}
	if all {
		topics = nil
	}
	resp, err := o.peers.metadata(ctx, topics)
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
		if !all {
			w.applyCluster(resp, at)
			return
		}
		for _, p := range w.applyMetadata(resp, at) {
			o.watcher.Reread(p.Topic, p.Partition)
		}
		if first { // now that the brokers are known, they can be asked
			o.Refresh()
		}
	})
}

// round asks one broker what it alone knows.
func (o *observation) round(ctx context.Context, id int32, interest Interest, wanted *wanted, now time.Time) {
	key := strconv.Itoa(int(id))
	addr := o.peers.addr(id)
	if addr == "" || o.busy[key] {
		return
	}
	r := round{broker: id, addr: addr, groups: interest.Groups, group: interest.Group, offsets: wanted.all(), starts: wanted.starts}
	if len(wanted.always) > 0 && o.isDue(askStarts+key, o.world.startsEvery(wanted.always), now) {
		r.starts = slices.Concat(wanted.always, wanted.starts)
	}
	if interest.LogDirs {
		every := o.world.logDirsEvery()
		r.logDirs = o.isDue(askLogDirs+key, every, now)
		if !r.logDirs && every > logDirsEvery && len(wanted.always) > 0 && o.isDue(askSizes+key, logDirsEvery, now) {
			r.sizes = wanted.always
		}
	}
	o.start(ctx, key, func(ctx context.Context, post func(func(*world))) { r.run(ctx, o.peers, post) })
}

// askConfigs asks any broker for min.insync.replicas, of topics where it is unknown or now and then of all, and for all
// configs of the topic on screen.
func (o *observation) askConfigs(ctx context.Context, interest Interest, now time.Time) {
	if !o.busy[askMinISR] {
		names := o.world.minISRUnknown()
		every := minISREvery
		if o.world.told() {
			every = minISRRarely
		}
		if len(o.world.topics) > 0 && o.isDue(askMinISR, every, now) {
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
					if n, err := strconv.Atoi(*r.Configs[0].Value); err == nil && n != t.MinISR {
						w.topic(t.Name).MinISR = n
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
		if t, ok := w.topics[topic]; ok && (t.Configs == nil || !maps.Equal(t.Configs, own)) {
			w.topic(topic).Configs = own
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
