package replica

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionIdle is how long a session must have been silent before another may take its place.
const sessionIdle = 2 * time.Minute

// The session epochs that are none (KIP-227).
const (
	sessionless = -1 // a full fetch that keeps no session
	newSession  = 0  // a full fetch that begins one
)

// sessions are the fetches of which clients only send what changes (KIP-227): the partitions wanted, and what was
// answered last.
type sessions struct {
	mu    sync.Mutex
	slots int
	byID  map[int32]*session

	evicted int64
}

// session belongs to one client, which uses it for one fetch at a time: the epoch sees to it.
type session struct {
	id       int32
	mu       sync.Mutex
	epoch    int32 // that the next request must have
	byID     bool
	follower bool
	used     time.Time
	wants    []*sessionWant // in the order they are served
	index    map[wantKey]*sessionWant
	quiet    []quiet // all of a follower's partitions, if they are quiet; never changed
}

type wantKey struct {
	topic     string
	id        [16]byte
	partition int32
}

// sessionWant is a want, and what the client knows already.
type sessionWant struct {
	want
	hw, start int64
	forgotten bool
}

// turn is one request's use of its session, if it has one.
type turn struct {
	all   *sessions
	s     *session // nil: none
	full  bool     // every partition is answered
	wants []want
	items []*sessionWant // with a session: go with wants

	quiet []quiet // all that is asked for, as it was
}

func newSessions(slots int) *sessions { return &sessions{slots: slots, byID: map[int32]*session{}} }

// begin finds or makes the session of a request.
func (all *sessions) begin(req *kmsg.FetchRequest, follower bool, now time.Time) (*turn, *kerr.Error) {
	epoch := req.SessionEpoch
	if req.Version < 7 {
		epoch = sessionless
	}
	if epoch == sessionless || epoch == newSession {
		if req.SessionID != 0 {
			all.drop(req.SessionID)
		}
		t := &turn{all: all, full: true}
		eachWant(req, func(k wantKey, w want) { t.wants = append(t.wants, w) })
		if epoch == newSession && len(t.wants) > 0 {
			t.s = all.create(req.Version >= 13, follower, now)
		}
		if t.s != nil {
			t.items = make([]*sessionWant, 0, len(t.wants))
			eachWant(req, func(k wantKey, w want) { t.items = append(t.items, t.s.put(k, w)) })
		}
		return t, nil
	}
	return all.resume(req, now)
}

func (all *sessions) resume(req *kmsg.FetchRequest, now time.Time) (*turn, *kerr.Error) {
	all.mu.Lock()
	s := all.byID[req.SessionID]
	if s != nil {
		s.used = now
	}
	all.mu.Unlock()
	if s == nil {
		return nil, kerr.FetchSessionIDNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.epoch != req.SessionEpoch:
		return nil, kerr.InvalidFetchSessionEpoch
	case s.byID != (req.Version >= 13):
		return nil, kerr.FetchSessionTopicIDError
	}
	s.epoch = nextEpoch(s.epoch)
	if len(req.Topics) == 0 && len(req.ForgottenTopics) == 0 && s.quiet != nil {
		return &turn{all: all, s: s, quiet: s.quiet}, nil
	}
	for _, t := range req.ForgottenTopics {
		for _, id := range t.Partitions {
			s.forget(wantKey{t.Topic, t.TopicID, id})
		}
	}
	eachWant(req, func(k wantKey, w want) { s.put(k, w) })
	t := &turn{all: all, s: s}
	t.unfold()
	if len(t.wants) == 0 { // nothing left to fetch: the session ends
		all.drop(s.id)
		t.s, t.items, t.full = nil, nil, true
	}
	return t, nil
}

// unfold lists what the session wants. Needs the session's mu.
func (t *turn) unfold() {
	s := t.s
	s.quiet = nil
	t.wants, t.items = make([]want, 0, len(s.wants)), make([]*sessionWant, 0, len(s.wants))
	for _, w := range s.wants {
		if !w.forgotten {
			t.wants, t.items = append(t.wants, w.want), append(t.items, w)
		}
	}
	s.wants = append(s.wants[:0], t.items...)
}

// disturbed is for a session whose partitions are not quiet any more.
func (t *turn) disturbed() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.unfold()
}

func nextEpoch(epoch int32) int32 {
	if epoch == math.MaxInt32 {
		return 1
	}
	return epoch + 1
}

// create makes a session, unless all slots are in use: a follower takes the place of any consumer, a consumer that of
// one which was silent for long.
func (all *sessions) create(byID, follower bool, now time.Time) *session {
	all.mu.Lock()
	defer all.mu.Unlock()
	if len(all.byID) >= all.slots && !all.evict(follower, now) {
		return nil
	}
	id := int32(0)
	for id == 0 || all.byID[id] != nil {
		id = rand.Int32()
	}
	s := &session{id: id, epoch: nextEpoch(newSession), byID: byID, follower: follower, used: now, index: map[wantKey]*sessionWant{}}
	all.byID[id] = s
	return s
}

// evict drops the session that was used the longest time ago. Needs mu.
func (all *sessions) evict(follower bool, now time.Time) bool {
	var oldest *session
	for _, s := range all.byID {
		idle := now.Sub(s.used) > sessionIdle
		if (idle || follower && !s.follower) && (oldest == nil || s.used.Before(oldest.used)) {
			oldest = s
		}
	}
	if oldest == nil {
		return false
	}
	delete(all.byID, oldest.id)
	all.evicted++
	return true
}

func (all *sessions) drop(id int32) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byID, id)
}

func (s *session) put(k wantKey, w want) *sessionWant {
	if known := s.index[k]; known != nil {
		known.want = w
		return known
	}
	item := &sessionWant{want: w, hw: -1, start: -1}
	s.index[k] = item
	s.wants = append(s.wants, item)
	return item
}

func (s *session) forget(k wantKey) {
	if known := s.index[k]; known != nil {
		known.forgotten = true
		delete(s.index, k)
	}
}

// eachWant calls do for every partition in a request.
func eachWant(req *kmsg.FetchRequest, do func(wantKey, want)) {
	byID := req.Version >= 13
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			q := &t.Partitions[j]
			k := wantKey{t.Topic, t.TopicID, q.Partition}
			if byID {
				k.topic = ""
			} else {
				k.id = [16]byte{}
			}
			do(k, want{
				key: key{Topic: t.Topic, Partition: q.Partition}, topicID: t.TopicID, byID: byID,
				epoch: q.CurrentLeaderEpoch, offset: q.FetchOffset, lastEpoch: q.LastFetchedEpoch,
				logStart: q.LogStartOffset, maxBytes: q.PartitionMaxBytes,
			})
		}
	}
}

// answer writes the response: all partitions, or within a session those with news.
func (t *turn) answer(resp *kmsg.FetchResponse, f *fetch) {
	if t.s != nil {
		t.s.mu.Lock()
		defer t.s.mu.Unlock()
		resp.SessionID = t.s.id
	}
	for i := range f.wants {
		if t.s != nil && !t.items[i].news(&f.readings[i]) && !t.full {
			continue
		}
		w := &f.wants[i]
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != w.Topic || resp.Topics[n-1].TopicID != w.topicID {
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = w.Topic, w.topicID
			resp.Topics = append(resp.Topics, topic)
		}
		topic := &resp.Topics[len(resp.Topics)-1]
		topic.Partitions = append(topic.Partitions, kmsg.FetchResponseTopicPartition{})
		f.fill(i, &topic.Partitions[len(topic.Partitions)-1])
	}
	if t.s != nil {
		t.s.rotate(t.items, f)
		if f.by.follows() && len(t.items) == len(t.s.wants) {
			t.s.quiet = allQuiet(f)
		}
	}
}

// news tells whether a reading differs from what the client knows, and notes what it will know.
func (w *sessionWant) news(got *reading) bool {
	changed := len(got.records) > 0 || got.err != nil || got.diverging.epoch >= 0 || got.nearer >= 0 || got.hw != w.hw || got.start != w.start
	w.hw, w.start = got.hw, got.start
	if got.err != nil {
		w.hw = -1 // tell it again when it is over
	}
	return changed
}

// rotate puts partitions that were answered with records behind those that were not, so that all get their turn.
func (s *session) rotate(items []*sessionWant, f *fetch) {
	if len(s.wants) != len(items) {
		return
	}
	s.wants = s.wants[:0]
	for i, w := range items {
		if len(f.readings[i].records) == 0 {
			s.wants = append(s.wants, w)
		}
	}
	for i, w := range items {
		if len(f.readings[i].records) > 0 {
			s.wants = append(s.wants, w)
		}
	}
}

// FetchSessions counts the sessions that are kept, the partitions in them, and those that had to go for others.
func (r *Replicas) FetchSessions() (sessions, partitions int, evicted int64) {
	all := r.sessions
	all.mu.Lock()
	kept := slices.Collect(maps.Values(all.byID))
	evicted = all.evicted
	all.mu.Unlock()
	for _, s := range kept {
		s.mu.Lock()
		partitions += len(s.index)
		s.mu.Unlock()
	}
	return len(kept), partitions, evicted
}
