package admin

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"kdrill/admin/ensemble"
)

// world is everything known so far. It belongs to one goroutine; answers change it, and
// snapshots share what they have in common.
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
	listed          []*Topic // all of them, as the last snapshot has them; nil when one came or went
	edited          []*Topic // copies of those in listed that were changed since
	loads           *loads   // of listed
	draft           Partition
	lists           map[idList][]int32
	topicsAt        time.Time
	groups          map[string]*knownGroup
	groupsAt        time.Time
	coordinators    []Coordinator
	observers       []Coordinator // of KRaft
	plaintext       bool          // nothing of this cluster is known to be secured
	problem         string
	bare            bool // no broker was named: ZooKeeper alone is asked
	quorumHidden    bool // this user may not see the KRaft quorum, or its brokers cannot tell

	zookeeper zookeeper
	unwatched bool // metadata has partitions whose znodes were not read: there may be more than are watched
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
	companion       *atomic.Int64
	online          bool
	synced          bool // everything was read once: sets of topics and brokers are complete
	controller      bool // who controls was read over this connection
	controllerEpoch int32
	registered      map[int32]bool         // nil until read over this connection
	topics          map[string]bool        // nil until read
	states          map[string][]readState // by topic, then partition
}

// readState is what has to be remembered of a partition's znode to know whether another reading of it is newer.
type readState struct {
	created              int64
	version, leaderEpoch int32
	read                 bool
}

// state is the last reading of a partition's znode.
func (z *zookeeper) state(topic string, partition int32) (readState, bool) {
	list := z.states[topic]
	if int(partition) >= len(list) || partition < 0 {
		return readState{}, false
	}
	return list[partition], list[partition].read
}

// decides says whether ZooKeeper's word counts, rather than the brokers'.
func (z *zookeeper) decides() bool { return z.online && z.synced }

// told says whether ZooKeeper tells of every change of topics and partitions: metadata of brokers would bring nothing new.
func (w *world) told() bool { return w.zookeeper.decides() && !w.unwatched }

func newWorld(cfg Config) *world {
	w := &world{
		controller: -1, controllerEpoch: -1,
		loads: loadsOf(nil), brokers: map[int32]*Broker{}, topics: map[string]*Topic{}, groups: map[string]*knownGroup{},
	}
	w.mode, w.plaintext, w.bare = cfg.Mode, cfg.Properties == "", cfg.bare()
	if cfg.ZooKeeper != "" {
		w.mode = ModeZooKeeper
		w.zookeeper = zookeeper{configured: true, companion: &atomic.Int64{}, states: map[string][]readState{}}
		servers, chroot := ensemble.Servers(cfg.ZooKeeper)
		w.zookeeper.chroot = chroot
		w.zookeeper.companion.Store(cfg.Companion)
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

// snapshot is what is known: topics that did not change are those of the snapshot before.
func (w *world) snapshot(at time.Time) *Snapshot {
	s := &Snapshot{
		At: at, ClusterID: w.clusterID, Mode: w.mode, Problem: w.problem,
		Controller: w.controller, ControllerEpoch: w.controllerEpoch, controllerAt: w.controllerAt,
		TopicsAt: w.topicsAt, GroupsAt: w.groupsAt,
		Brokers:      make([]Broker, 0, len(w.brokers)),
		Topics:       w.sealedTopics(),
		Groups:       make([]Group, 0, len(w.groups)),
		Coordinators: slices.Clone(w.coordinators),
		Observers:    slices.Clone(w.observers),
		Watching:     w.zookeeper.decides(),
		Bare:         w.bare && len(w.brokers) == 0,
		Chroot:       w.zookeeper.chroot,
		OwnSession:   w.zookeeper.session,
		Sessions:     w.namedSessions(),
	}
	s.loads = w.loads
	w.remember(s)
	for _, id := range slices.Sorted(maps.Keys(w.brokers)) {
		s.Brokers = append(s.Brokers, *w.brokers[id])
	}
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
