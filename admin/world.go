package admin

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"kdrill/admin/ensemble"
	"kdrill/admin/watch"
)

// world is everything known so far. It belongs to one goroutine; answers change it, [world.snapshot] copies it.
//
// Where ZooKeeper is watched it decides: who is registered, who controls, which topics there are and the state of
// each partition. Brokers' metadata, which trails behind and differs from broker to broker, fills in the rest and
// stands in while no coordinator serves.
type world struct {
	clusterID       string
	mode            Mode
	controller      int32
	controllerAt    time.Time
	controllerEpoch int32
	brokers         map[int32]*Broker
	topics          map[string]*Topic
	topicsAt        time.Time
	groups          map[string]*knownGroup
	groupsAt        time.Time
	coordinators    []Coordinator
	observers       []Coordinator // of KRaft
	plaintext       bool          // nothing of this cluster is known to be secured
	problem         string
	quorumHidden    bool // this user may not see the KRaft quorum, or its brokers cannot tell

	zookeeper zookeeper
	sessions  Sessions

	formerController  *int32
	formerCoordinator string
	watched           bool
}

// zookeeper is what the watches said.
type zookeeper struct {
	configured      bool
	chroot          string
	session         int64 // ours, 0 while there is none
	online          bool
	synced          bool // everything was read once: sets of topics and brokers are complete
	controller      bool // who controls was read over this connection
	controllerEpoch int32
	registered      map[int32]bool              // nil until read over this connection
	topics          map[string]watch.Assignment // nil until read
	states          map[TopicPartition]watch.State
}

// decides says whether ZooKeeper's word counts, rather than the brokers'.
func (z *zookeeper) decides() bool { return z.online && z.synced }

func newWorld(cfg Config) *world {
	w := &world{
		controller: -1, controllerEpoch: -1,
		brokers: map[int32]*Broker{}, topics: map[string]*Topic{}, groups: map[string]*knownGroup{},
	}
	w.mode, w.plaintext = cfg.Mode, cfg.Properties == ""
	if cfg.ZooKeeper != "" {
		w.mode = ModeZooKeeper
		w.zookeeper = zookeeper{configured: true, states: map[TopicPartition]watch.State{}}
		servers, chroot := ensemble.Servers(cfg.ZooKeeper)
		w.zookeeper.chroot = chroot
		for _, s := range servers {
			w.coordinators = append(w.coordinators, Coordinator{Address: s, Zxid: -1})
		}
	}
	return w
}

// broker returns a broker to change, making it if it is new.
func (w *world) broker(id int32) *Broker {
	b, ok := w.brokers[id]
	if !ok {
		b = &Broker{ID: id, Epoch: -1, LogBytes: -1}
		w.brokers[id] = b
	}
	return b
}

// topic returns a topic to change, making it if it is new.
func (w *world) topic(name string) *Topic {
	t, ok := w.topics[name]
	if !ok {
		t = &Topic{Name: name, PerSecond: -1}
		w.topics[name] = t
	}
	return t
}

// partition returns a partition to change, making it and those before it if they are new.
func (t *Topic) partition(id int32) *Partition {
	for int32(len(t.Partitions)) <= id {
		t.Partitions = append(t.Partitions, Partition{
			ID: int32(len(t.Partitions)), Leader: -1, LeaderEpoch: -1, ControllerEpoch: -1, PartitionEpoch: -1,
			Start: -1, End: -1, Size: -1, PerSecond: -1,
		})
	}
	return &t.Partitions[id]
}

// snapshot copies what is known.
func (w *world) snapshot(at time.Time) *Snapshot {
	s := &Snapshot{
		At: at, ClusterID: w.clusterID, Mode: w.mode, Problem: w.problem,
		Controller: w.controller, ControllerEpoch: w.controllerEpoch, controllerAt: w.controllerAt,
		TopicsAt: w.topicsAt, GroupsAt: w.groupsAt,
		Brokers:      make([]Broker, 0, len(w.brokers)),
		Topics:       make([]Topic, 0, len(w.topics)),
		Groups:       make([]Group, 0, len(w.groups)),
		Coordinators: slices.Clone(w.coordinators),
		Observers:    slices.Clone(w.observers),
		Watching:     w.zookeeper.decides(),
		Chroot:       w.zookeeper.chroot,
		Sessions:     w.namedSessions(),
	}
	w.remember(s)
	for _, id := range slices.Sorted(maps.Keys(w.brokers)) {
		s.Brokers = append(s.Brokers, *w.brokers[id])
	}
	for _, t := range w.topics {
		topic := *t
		topic.Partitions = slices.Clone(t.Partitions)
		topic.PerSecond = sumRates(topic.Partitions)
		s.Topics = append(s.Topics, topic)
	}
	slices.SortFunc(s.Topics, func(a, b Topic) int { return cmp.Compare(a.Name, b.Name) })
	for _, g := range w.groups {
		s.Groups = append(s.Groups, w.lag(g.Group))
	}
	slices.SortFunc(s.Groups, func(a, b Group) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

// remember hands on what the last snapshots had and this one may lack.
func (w *world) remember(s *Snapshot) {
	w.watched = w.watched || s.Watching
	s.formerController, s.formerCoordinator, s.watched = w.formerController, w.formerCoordinator, w.watched
	if s.Controller >= 0 {
		id := s.Controller // a pointer into s would keep it, and through it all that came before
		w.formerController = &id
	}
	w.formerCoordinator = s.lastLeadingCoordinator()
}

// setRegistered notes when a broker was missed first.
func (b *Broker) setRegistered(is bool, at time.Time) {
	if b.Registered && !is {
		b.goneAt = at
	}
	b.Registered = is
}

// sumRates is -1 when no partition's rate is known.
func sumRates(partitions []Partition) float64 {
	sum := -1.0
	for _, p := range partitions {
		if p.PerSecond >= 0 {
			sum = max(sum, 0) + p.PerSecond
		}
	}
	return sum
}

// rate is how fast a count grows, smoothed; -1 while it was read only once.
func rate(before float64, from, to int64, elapsed time.Duration) float64 {
	if from < 0 || to < 0 || elapsed <= 0 {
		return before
	}
	now := max(0, float64(to-from)) / elapsed.Seconds()
	if before < 0 {
		return now
	}
	smooth := 0.4*before + 0.6*now
	if smooth < 0.05 {
		return 0
	}
	return smooth
}
