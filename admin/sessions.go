package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"kdrill/admin/ensemble"
	"kdrill/node/layout"
)

// SessionID is the number of a ZooKeeper session, written as ZooKeeper does: 0x100000978bb0000.
type SessionID int64

// String implements fmt.Stringer.
func (id SessionID) String() string { return "0x" + strconv.FormatUint(uint64(id), 16) }

// MarshalText implements encoding.TextMarshaler.
func (id SessionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// Sessions are the sessions of a ZooKeeper ensemble, as far as its configuration lets it tell.
type Sessions struct {
	List []Session `json:"sessions"` // by owner, then id
	At   time.Time `json:"at"`       // when they were last read, zero never
	// Hidden is one sentence when less than everything is known, naming the setting that would tell more.
	Hidden string `json:"hidden,omitempty"`
	// Error says why the last reading failed; the list is that of the one before.
	Error string `json:"error,omitempty"`
}

// Session is one session of ZooKeeper.
type Session struct {
	ID         SessionID     `json:"id"`
	Owner      string        `json:"owner,omitempty"`   // broker-2, or kdrill for the session that reads this
	Timeout    time.Duration `json:"timeout,omitempty"` // 0 unknown
	Client     string        `json:"client,omitempty"`  // host:port of its last connection
	Server     string        `json:"server,omitempty"`  // the coordinator that the connection goes to
	Connected  Connected     `json:"connected"`
	HeardAt    time.Time     `json:"heard_at,omitzero"` // the client was seen to say something, at the latest then
	Ephemerals []string      `json:"ephemerals,omitempty"`

	received int64
}

// Connected says whether the client of a session is connected.
type Connected string

// The states of a client's connection.
const (
	ConnectedUnknown Connected = "unknown" // its coordinator does not tell
	ConnectedYes     Connected = "yes"
	ConnectedNo      Connected = "no"
)

// Silent says whether the client has been quiet for longer than a client that is well is: it would have sent a ping after
// a third of the timeout.
func (s Session) Silent(now time.Time) bool {
	switch {
	case s.Connected == ConnectedNo:
		return true
	case s.Timeout == 0 || s.HeardAt.IsZero():
		return false
	}
	return now.Sub(s.HeardAt) > s.Timeout/2
}

// Left is how long the session of a silent client lives on at most; 0 where it is unknown or over.
func (s Session) Left(now time.Time) time.Duration {
	if s.Timeout == 0 || s.HeardAt.IsZero() {
		return 0
	}
	return max(0, s.Timeout-now.Sub(s.HeardAt))
}

// Session returns a session by its number.
func (s *Snapshot) Session(id int64) (Session, bool) {
	for _, one := range s.Sessions.List {
		if int64(one.ID) == id {
			return one, true
		}
	}
	return Session{}, false
}

// sessionsAnswer is what one reading brought.
type sessionsAnswer struct {
	at          time.Time
	connections map[string][]ensemble.Connection // by the server that told
	silent      []string                         // servers that did not
	dump        *ensemble.Dump                   // nil where nobody tells
	owners      map[int64][]string               // what clients can see, where there is no dump
	partly      string                           // how far that reaches
	hidden      error                            // the first refusal
	err         error
}

// walkFunc finds the owners of ephemeral znodes as a client can: it says in words what it left out.
type walkFunc func(ctx context.Context) (owners map[int64][]string, partly string, err error)

// readSessions asks every coordinator for its clients, and one of them for all sessions.
func readSessions(ctx context.Context, prober *ensemble.Prober, coordinators []Coordinator, limit time.Duration, walk walkFunc) sessionsAnswer {
	a := sessionsAnswer{connections: map[string][]ensemble.Connection{}}
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, c := range coordinators {
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			list, err := prober.Connections(ctx, c.Address)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				a.refused(err)
				a.silent = append(a.silent, c.Address)
				return
			}
			a.connections[c.Address] = list
		})
	}
	asked.Wait()
	a.readDump(ctx, prober, coordinators, limit)
	if a.dump == nil && walk != nil {
		owners, partly, err := walk(ctx)
		a.owners, a.partly = owners, partly
		if err != nil && len(a.connections) == 0 {
			a.err = cmp.Or(a.err, err)
		}
	}
	if a.dump != nil || a.owners != nil || len(a.connections) > 0 {
		a.err = nil
	}
	a.at = time.Now()
	return a
}

func (a *sessionsAnswer) refused(err error) {
	if _, ok := errors.AsType[*ensemble.NotAllowedError](err); ok {
		a.hidden = cmp.Or(a.hidden, err)
		return
	}
	a.err = cmp.Or(a.err, err)
}

// readDump asks followers first: they say how long sessions last, which Apache's leader does not.
func (a *sessionsAnswer) readDump(ctx context.Context, prober *ensemble.Prober, coordinators []Coordinator, limit time.Duration) {
	order := slices.SortedStableFunc(slices.Values(coordinators), func(x, y Coordinator) int { return dumpOrder(x) - dumpOrder(y) })
	for _, c := range order {
		limited, cancel := context.WithTimeout(ctx, limit)
		dump, err := prober.Dump(limited, c.Address)
		cancel()
		if err == nil {
			a.dump = &dump
			return
		}
		a.refused(err)
	}
}

func dumpOrder(c Coordinator) int {
	switch {
	case c.Role == "":
		return 2
	case c.leads():
		return 1
	}
	return 0
}

// applySessions takes in one reading.
func (w *world) applySessions(a sessionsAnswer) {
	w.sessions.Error, w.sessions.Hidden = "", ""
	if a.err != nil {
		w.sessions.Error = a.err.Error()
		return
	}
	if a.hidden != nil {
		w.sessions.Hidden = "a coordinator " + a.hidden.Error()
		if a.partly != "" {
			w.sessions.Hidden += ". " + a.partly
		}
	}
	known := map[int64]*Session{}
	for _, s := range w.sessions.List {
		known[int64(s.ID)] = &s
	}
	next := map[int64]*Session{}
	session := func(id int64) *Session {
		if s, ok := next[id]; ok {
			return s
		}
		s, ok := known[id]
		if !ok {
			s = &Session{ID: SessionID(id), received: -1}
		}
		s.Connected = ConnectedUnknown
		next[id] = s
		return s
	}
	if a.dump != nil {
		for id, timeout := range a.dump.Sessions {
			s := session(id)
			s.Timeout = cmp.Or(timeout, s.Timeout)
			s.Ephemerals = nil
		}
		for id, paths := range a.dump.Ephemerals {
			session(id).Ephemerals = sorted(paths)
		}
	}
	for id, paths := range a.owners {
		session(id).Ephemerals = sorted(paths)
	}
	a.connected(session)
	w.sessions.List = w.sessions.List[:0:0]
	for _, s := range next {
		if s.Connected == ConnectedUnknown && len(a.silent) == 0 && a.dump != nil {
			s.Connected = ConnectedNo
			if s.HeardAt.IsZero() {
				s.HeardAt = a.at // it was not heard later than that
			}
		}
		w.sessions.List = append(w.sessions.List, *s)
	}
	w.sessions.At = a.at
}

// connected notes who is connected where, and who said something since the reading before.
func (a *sessionsAnswer) connected(session func(id int64) *Session) {
	for server, list := range a.connections {
		for _, c := range list {
			if c.Session == 0 {
				continue
			}
			s := session(c.Session)
			if s.received != c.Received || s.Client != c.Client {
				s.HeardAt = a.at
			}
			s.Client, s.Server, s.Connected, s.received = c.Client, server, ConnectedYes, c.Received
			s.Timeout = cmp.Or(c.Timeout, s.Timeout)
		}
	}
}

func sorted(paths []string) []string {
	paths = slices.Clone(paths)
	slices.Sort(paths)
	return paths
}

// namedSessions are the sessions with their owners, for a snapshot.
func (w *world) namedSessions() Sessions {
	all := w.sessions
	all.List = slices.Clone(all.List)
	for i := range all.List {
		s := &all.List[i]
		s.Owner = w.ownerOf(s)
	}
	slices.SortFunc(all.List, func(a, b Session) int {
		return cmp.Or(cmp.Compare(ownerRank(a.Owner), ownerRank(b.Owner)), cmp.Compare(a.Owner, b.Owner), cmp.Compare(uint64(a.ID), uint64(b.ID)))
	})
	return all
}

// Own is the owner of the sessions of who is looking, and of the supervisor beside it.
const Own = "kdrill"

// ownerOf names who has a session: a broker by its registration.
func (w *world) ownerOf(s *Session) string {
	if s.ID != 0 && (int64(s.ID) == w.zookeeper.session || w.zookeeper.companion != nil && int64(s.ID) == w.zookeeper.companion.Load()) {
		return Own
	}
	for id, b := range w.brokers {
		if b.SessionID == int64(s.ID) && b.Registered {
			return NodeName(id)
		}
	}
	for _, path := range s.Ephemerals {
		if id, ok := strings.CutPrefix(path, w.zookeeper.chroot+layout.BrokerIDs+"/"); ok {
			return "broker-" + id
		}
	}
	return ""
}

// ownerRank puts brokers first, then kdrill, then those that are not known.
func ownerRank(owner string) int {
	switch owner {
	case "":
		return 2
	case Own:
		return 1
	}
	return 0
}

// askSessions is a key of busy and due.
const askSessions = "sessions"

// How often sessions are read: a walk costs more.
const (
	sessionsEvery = 900 * time.Millisecond
	walkEvery     = 5 * time.Second
)

// sessions asks for sessions if it is time.
func (o *observation) sessions(ctx context.Context, now time.Time) {
	every := sessionsEvery
	if o.world.sessions.Hidden != "" {
		every = walkEvery
	}
	if o.watcher == nil || o.busy[askSessions] || !o.isDue(askSessions, every, now) {
		return
	}
	coordinators, chroot := slices.Clone(o.world.coordinators), o.world.zookeeper.chroot
	var find walkFunc
	if o.world.zookeeper.online {
		find = walk(o.watcher.Session(), chroot)
	}
	o.start(ctx, askSessions, func(ctx context.Context, post func(func(*world))) {
		answer := readSessions(ctx, o.prober, coordinators, min(o.cfg.Deadline, 500*time.Millisecond), find)
		post(func(w *world) { w.applySessions(answer) })
	})
}
