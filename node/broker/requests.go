package broker

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// requests counts and times what clients and other brokers ask, by Kafka's names of requests.
type requests struct {
	count *prometheus.CounterVec
	times *prometheus.HistogramVec

	known sync.Map // requestKind to *requestStats: finding labels costs more than counting
}

// requestKind tells requests apart as Kafka's metrics do.
type requestKind struct {
	key, version int16
	follower     bool // a follower's fetch
}

type requestStats struct {
	count prometheus.Counter
	times prometheus.Observer
}

func newRequests() *requests {
	return &requests{
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kafka_network_requestmetrics_requests_total", Help: "Requests answered.",
		}, []string{"request", "version"}),
		times: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kafka_network_requestmetrics_totaltimems", Help: "Milliseconds from a request's last byte to its answer.",
			Buckets: []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000},
		}, []string{"request"}),
	}
}

// served notes a request that took so long.
func (r *requests) served(body kmsg.Request, took time.Duration) {
	kind := requestKind{key: body.Key(), version: body.GetVersion()}
	if fetch, ok := body.(*kmsg.FetchRequest); ok {
		kind.follower = fetch.ReplicaID >= 0 || fetch.ReplicaState.ID >= 0
	}
	stats, ok := r.known.Load(kind)
	if !ok {
		name := requestName(kind)
		stats, _ = r.known.LoadOrStore(kind, &requestStats{
			r.count.WithLabelValues(name, decimal(kind.version)), r.times.WithLabelValues(name),
		})
	}
	s := stats.(*requestStats)
	s.count.Inc()
	s.times.Observe(float64(took) / float64(time.Millisecond))
}

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
