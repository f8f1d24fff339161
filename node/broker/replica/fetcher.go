package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchPause is the first pause after a failure; each further one is twice as long, up to replica.fetch.backoff.ms.
const fetchPause = 20 * time.Millisecond

// racePause is by how much pauses grow while a follower is ahead of its leader, from none up to fetchPause.
const racePause = 2 * time.Millisecond

// fetcher copies partitions from one leader: fetch, append, fetch from the new end. Its goroutine alone writes the logs
// of its partitions, as long as they follow in the epoch they were added with.
type fetcher struct {
	r      *Replicas
	leader int32
	end    context.CancelFunc

	mu        sync.Mutex
	following map[*partition]*pursuit
	order     []*pursuit         // following by name, nil after a change of it
	changed   bool               // since the last request was made
	interrupt context.CancelFunc // gives up the request under way, so that new partitions need not wait for it
	wakeup    poll

	// What follows belongs to run.
	conn    Fetcher
	session fetchSession
	broken  bool // the last request failed; said so once
	pause   time.Duration
}

// pursuit is one partition that a fetcher follows.
type pursuit struct {
	p       *partition
	topicID [16]byte
	epoch   int32     // of the leader
	rest    time.Time // not to be fetched before
	pause   time.Duration
	said    int16 // error code that was logged last
	level   bool  // has all that its leader had committed, at the last fetch

	asked progress // with which the leader was asked for it last
	round int      // of the session, in which that was
}

func newFetcher(r *Replicas, leader int32) *fetcher {
	return &fetcher{r: r, leader: leader, following: map[*partition]*pursuit{}, wakeup: newPoll()}
}

// errInterrupted tells that partitions were added, for which a new request has to be made.
var errInterrupted = errors.New("fetch given up for partitions that were added")

// add takes over partitions. A request that waits at the leader for others is given up, since it may wait for long.
func (f *fetcher) add(all []*partition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range all {
		p.mu.Lock()
		f.following[p] = &pursuit{p: p, topicID: p.topicID, epoch: p.leaderEpoch}
		p.mu.Unlock()
	}
	f.changed, f.order = true, nil
	if f.interrupt != nil {
		f.interrupt()
	}
	wake([]poll{f.wakeup})
}

func (f *fetcher) remove(p *partition) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.following, p)
	f.order = nil
}

func (f *fetcher) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.following) == 0
}

// run fetches until ctx ends.
func (f *fetcher) run(ctx context.Context) {
	defer f.disconnect()
	for ctx.Err() == nil {
		due, next := f.due(time.Now())
		if len(due) == 0 {
			f.sleep(ctx, next)
			continue
		}
		if err := f.fetch(ctx, due, min(next, f.r.cfg.Settings.FetchWaitMax)); err != nil && ctx.Err() == nil {
			f.failed(ctx, err)
		}
	}
}

// due are the partitions to fetch now, by name, and next is how long it takes until another one is.
func (f *fetcher) due(now time.Time) (due []*pursuit, next time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed = false
	if f.order == nil {
		f.order = slices.SortedFunc(maps.Values(f.following), func(a, b *pursuit) int { return compareKeys(a.p.key, b.p.key) })
	}
	next = time.Hour
	due = make([]*pursuit, 0, len(f.order))
	for _, q := range f.order {
		if wait := max(q.rest.Sub(now), q.held(now)); wait > 0 {
			next = min(next, wait)
			continue
		}
		due = append(due, q)
	}
	return due, next
}

// sleep waits for d or until partitions are added.
func (f *fetcher) sleep(ctx context.Context, d time.Duration) {
	after, stop := timer(d)
	defer stop()
	select {
	case <-ctx.Done():
	case <-after:
	case <-f.wakeup:
	}
}

// failed pauses after a request that was not answered, and says so the first time.
func (f *fetcher) failed(ctx context.Context, err error) {
	f.disconnect()
	f.mu.Lock()
	interrupted := f.changed
	f.mu.Unlock()
	if interrupted {
		return
	}
	if !f.broken {
		f.broken = true
		f.r.log.Warn("leader does not answer fetches, trying again", "leader", f.leader, "err", err)
	}
	f.pause = min(max(2*f.pause, fetchPause), f.r.cfg.Settings.FetchBackoff)
	f.sleep(ctx, f.pause)
}

func (f *fetcher) disconnect() {
	if f.conn != nil {
		f.conn.Close()
		f.conn = nil
	}
	f.session.reset()
}

// request sends one request within the socket timeout, on a connection that is made if there is none.
func (f *fetcher) request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, f.r.cfg.Settings.SocketTimeout)
	defer cancel()
	f.mu.Lock()
	if f.changed { // what was added meanwhile belongs into this request
		f.mu.Unlock()
		return nil, errInterrupted
	}
	f.interrupt = cancel
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.interrupt = nil
		f.mu.Unlock()
	}()
	if f.conn == nil {
		addr, ok := f.r.cfg.Endpoint(f.leader)
		if !ok {
			return nil, fmt.Errorf("broker %d is not alive", f.leader)
		}
		conn, err := f.r.cfg.Dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		f.conn = conn
	}
	return f.conn.Request(ctx, req)
}

// fetch asks for the partitions that are due and applies the answer. The leader may wait for records as long as none
// of the partitions that rest becomes due.
func (f *fetcher) fetch(ctx context.Context, due []*pursuit, wait time.Duration) error {
	req := f.session.request(f.r, due)
	asked := f.session.asked
	req.MaxWaitMillis = int32(wait.Milliseconds())
	answer, err := f.request(ctx, req)
	if err != nil {
		return err
	}
	resp, ok := answer.(*kmsg.FetchResponse)
	if !ok {
		return fmt.Errorf("fetch answered by %T", answer)
	}
	switch resp.ErrorCode {
	case 0:
	case kerr.FetchSessionIDNotFound.Code, kerr.InvalidFetchSessionEpoch.Code, kerr.FetchSessionTopicIDError.Code:
		f.session.reset()
		return nil
	default:
		return kerr.ErrorForCode(resp.ErrorCode)
	}
	f.answers()
	byID := f.session.byID
	f.session.answered(resp)
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			part := &t.Partitions[j]
			k := wantKey{topic: t.Topic, partition: part.Partition}
			if byID {
				k = wantKey{id: t.TopicID, partition: part.Partition}
			}
			if q := asked[k]; q != nil {
				f.apply(ctx, q, part)
			}
		}
	}
	return nil
}

// answers notes that the leader is well.
func (f *fetcher) answers() {
	if f.broken {
		f.broken = false
		f.r.log.Info("leader answers fetches again", "leader", f.leader)
	}
	f.pause = 0
}
