package broker

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/quota"
	"kdrill/node/broker/settings"
	"kdrill/node/wire"
)

// betweenBrokers are the keys of requests that brokers make of each other. No quota holds them up.
var betweenBrokers = map[int16]bool{4: true, 5: true, 6: true, 7: true, 27: true, 56: true, 67: true}

// awaited are the keys of requests that wait for followers, for leaders or for other members of a group: time passes, but
// no work is done. It is not counted as request time.
var awaited = map[int16]bool{
	8: true, 11: true, 14: true, 19: true, 20: true, 21: true, 22: true, 24: true, 25: true, 26: true, 28: true, 37: true, 43: true,
}

// limitsChanged takes in what users, clients and ips are limited to.
func (b *Broker) limitsChanged() { b.quotas.Set(quota.NewLimits(b.entities.All())) }

func windows(v settings.Values, name string) quota.Windows {
	return quota.Windows{Count: int(v.Int(name + ".num")), Size: time.Duration(v.Int(name+".size.seconds")) * time.Second}
}

// mutations are the changes of topics that a request asks for, and how long its sender has to rest for them.
type mutations struct {
	quotas       *quota.Quotas
	user, client string
	strict       bool // the client knows THROTTLING_QUOTA_EXCEEDED

	mu   sync.Mutex // topics are changed beside each other
	rest time.Duration
}

type mutationsKey struct{}

// strictFrom are the versions from which on clients know that a change may be refused for a quota.
var strictFrom = map[int16]int16{19: 6, 20: 5, 37: 3}

// mutate notes that a request changes a topic by a number of partitions; the error refuses that.
func mutate(ctx context.Context, partitions int) error {
	m, ok := ctx.Value(mutationsKey{}).(*mutations)
	if !ok {
		return nil
	}
	rest, taken := m.quotas.Mutate(m.user, m.client, partitions, m.strict, time.Now())
	m.mu.Lock()
	m.rest = max(m.rest, rest)
	m.mu.Unlock()
	if !taken {
		return refuse(kerr.ThrottlingQuotaExceeded, "topics change faster than controller_mutation_rate allows: try again in %v", rest.Round(time.Millisecond))
	}
	return nil
}

// limited serves a request of a client that may have limits: it is answered at once, with the time that its connection
// rests for then (KIP-219).
func (b *Broker) limited(ctx context.Context, r *wire.Request, began time.Time) kmsg.Response {
	if betweenBrokers[r.Key] || isFollower(r) {
		return b.handlers[r.Key](ctx, r)
	}
	user := strings.TrimPrefix(r.Conn.Principal, "User:")
	var produced int
	switch req := r.Body.(type) {
	case *kmsg.ProduceRequest:
		produced = producedBytes(req)
	case *kmsg.FetchRequest:
		if most, limited := b.quotas.Most(quota.Fetch, user, r.ClientID); limited {
			req.MaxBytes = int32(min(float64(req.MaxBytes), most))
		}
	}
	from, known := strictFrom[r.Key]
	changes := &mutations{quotas: b.quotas, user: user, client: r.ClientID, strict: known && r.Version >= from}
	resp := b.handlers[r.Key](context.WithValue(ctx, mutationsKey{}, changes), r)
	now := time.Now()
	rest := changes.rest
	if produced > 0 {
		rest = max(rest, b.quotas.Take(quota.Produce, user, r.ClientID, float64(produced), now))
	}
	if fetched, ok := resp.(*kmsg.FetchResponse); ok {
		rest = max(rest, b.quotas.Take(quota.Fetch, user, r.ClientID, float64(fetchedBytes(fetched)), now))
	}
	if !awaited[r.Key] && !awaitsAcks(r, resp) {
		const percentPerSecond = 100
		busy := now.Sub(began) - r.Waited
		rest = max(rest, b.quotas.Take(quota.Request, user, r.ClientID, busy.Seconds()*percentPerSecond, now))
	}
	if rest <= 0 {
		return resp
	}
	r.Throttle = rest
	return r.Amend(resp, func(resp kmsg.Response) {
		if t, ok := resp.(kmsg.SetThrottleResponse); ok {
			t.SetThrottle(int32(rest.Milliseconds()))
		}
	})
}

// awaitsAcks says whether the time that passed was mostly that of followers.
func awaitsAcks(r *wire.Request, resp kmsg.Response) bool {
	req, ok := r.Body.(*kmsg.ProduceRequest)
	return ok && req.Acks == -1 && resp != nil
}

func isFollower(r *wire.Request) bool {
	req, ok := r.Body.(*kmsg.FetchRequest)
	return ok && (r.Version < 15 && req.ReplicaID >= 0 || r.Version >= 15 && req.ReplicaState.ID >= 0)
}

func producedBytes(req *kmsg.ProduceRequest) (n int) {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			n += len(req.Topics[i].Partitions[j].Records)
		}
	}
	return n
}

func fetchedBytes(resp *kmsg.FetchResponse) (n int) {
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			n += len(resp.Topics[i].Partitions[j].RecordBatches)
		}
	}
	return n
}
