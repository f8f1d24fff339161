package broker

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

// requests counts and times what clients and other brokers ask, by Kafka's names of requests and of the parts of their way.
type requests struct {
	count  *prometheus.CounterVec
	errors *prometheus.CounterVec
	times  *prometheus.HistogramVec
	phases [phases]*prometheus.SummaryVec

	known sync.Map // requestKind to *requestStats: finding labels costs more than counting
	codes sync.Map // errorKind to prometheus.Counter

	inAnswers errorCounts
}

// requestKind tells requests apart as Kafka's metrics do.
type requestKind struct {
	key, version int16
	follower     bool // a follower's fetch
}

type errorKind struct{ key, code int16 }

type requestStats struct {
	count  prometheus.Counter
	times  prometheus.Observer
	phases [phases]prometheus.Observer
}

// The parts of a request's way.
const (
	inRequestQueue = iota
	local
	remote
	throttled
	inResponseQueue
	sending
	phases
)

func newRequests() *requests {
	const prefix = "kafka_network_requestmetrics_"
	r := &requests{
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "requests_total", Help: "Requests answered. Fetches are there under two names: all, and consumers' and followers'.",
		}, []string{"request", "version"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "errors_total", Help: "Error codes in answers, NONE where all is well.",
		}, []string{"request", "error"}),
		times: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "totaltimems", Help: "Milliseconds from a request's last byte to that of its answer.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000},
		}, []string{"request"}),
	}
	for phase, about := range [phases]struct{ name, help string }{
		inRequestQueue:  {"requestqueuetimems", "Milliseconds that requests wait for earlier ones of their connection."},
		local:           {"localtimems", "Milliseconds that requests are worked on."},
		remote:          {"remotetimems", "Milliseconds that requests wait for followers, for records, or for members of a group."},
		throttled:       {"throttletimems", "Milliseconds that connections rest for a quota after an answer."},
		inResponseQueue: {"responsequeuetimems", "Milliseconds that answers wait for earlier ones of their connection."},
		sending:         {"responsesendtimems", "Milliseconds to send answers."},
	} {
		r.phases[phase] = prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: prefix + about.name, Help: about.help}, []string{"request"})
	}
	return r
}

// all are the metrics to register.
func (r *requests) all() []prometheus.Collector {
	all := []prometheus.Collector{r.count, r.errors, r.times}
	for _, p := range r.phases {
		all = append(all, p)
	}
	return all
}

// served notes a request that has been answered, if it is to be.
func (r *requests) served(req *wire.Request, answer kmsg.Response) {
	kind := requestKind{key: req.Key, version: req.Version}
	if fetch, ok := req.Body.(*kmsg.FetchRequest); ok {
		kind.follower = fetch.ReplicaID >= 0 || fetch.ReplicaState.ID >= 0
		r.stats(kind, "Fetch").note(req)
	}
	r.stats(kind, requestName(kind)).note(req)
	if answer != nil {
		r.inAnswers.In(answer, func(code int16, n int) { r.failed(req.Key, code, n) })
	}
}

// statsKey is one row of statistics.
type statsKey struct {
	requestKind
	name string
}

func (r *requests) stats(kind requestKind, name string) *requestStats {
	key := statsKey{kind, name}
	if found, ok := r.known.Load(key); ok {
		return found.(*requestStats)
	}
	s := &requestStats{count: r.count.WithLabelValues(name, decimal(kind.version)), times: r.times.WithLabelValues(name)}
	for i, p := range r.phases {
		s.phases[i] = p.WithLabelValues(name)
	}
	found, _ := r.known.LoadOrStore(key, s)
	return found.(*requestStats)
}

func (s *requestStats) note(req *wire.Request) {
	t, millis := req.Times, func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	working, waiting := t.Handled.Sub(t.Began)-req.Waited, req.Waited+t.Known.Sub(t.Handled)
	if awaited[req.Key] { // the handler itself waits, and does not say for how long
		working, waiting = 0, waiting+working
	}
	s.count.Inc()
	s.times.Observe(millis(t.Sent.Sub(t.Arrived)))
	for phase, d := range [phases]time.Duration{
		inRequestQueue: t.Began.Sub(t.Arrived), local: working, remote: waiting, throttled: req.Throttle,
		inResponseQueue: t.Turn.Sub(t.Known), sending: t.Sent.Sub(t.Turn),
	} {
		s.phases[phase].Observe(millis(d))
	}
}

// failed notes how often a code was answered. Kafka has those of all fetches under one name.
func (r *requests) failed(key, code int16, n int) {
	kind := errorKind{key, code}
	found, ok := r.codes.Load(kind)
	if !ok {
		name := "NONE"
		if err, is := kerr.ErrorForCode(code).(*kerr.Error); is {
			name = err.Message
		}
		request := "Fetch"
		if key != keyFetch {
			request = requestName(requestKind{key: key})
		}
		found, _ = r.codes.LoadOrStore(kind, r.errors.WithLabelValues(request, name))
	}
	found.(prometheus.Counter).Add(float64(n))
}

const keyFetch = 1

// requestName is Kafka's name of a request where it is another than kmsg's.
func requestName(kind requestKind) string {
	switch name := kmsg.NameForKey(kind.key); name {
	case "Fetch":
		if kind.follower {
			return "FetchFollower"
		}
		return "FetchConsumer"
	case "LeaderAndISR":
		return "LeaderAndIsr"
	case "InitProducerID":
		return "InitProducerId"
	case "AllocateProducerIDs":
		return "AllocateProducerIds"
	case "AlterPartitionAssignments":
		return "AlterPartitionReassignments"
	case "SASLHandshake", "SASLAuthenticate":
		return "Sasl" + name[len("SASL"):]
	case "DescribeACLs", "CreateACLs", "DeleteACLs":
		return name[:len(name)-len("ACLs")] + "Acls"
	case "DescribeUserSCRAMCredentials":
		return "DescribeUserScramCredentials"
	case "AlterUserSCRAMCredentials":
		return "AlterUserScramCredentials"
	default:
		return name
	}
}
