package broker

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kdrill/node/broker/controller"
	"kdrill/node/broker/replica"
)

// metrics gives Prometheus the broker's state as it is when it asks. The names are those that the Prometheus JMX
// exporter gives the metrics of Apache Kafka with its usual rules; kafka_consumergroup_* are those of kafka_exporter,
// kdrill_* are ours.
type metrics struct{ b *Broker }

// Describe implements [prometheus.Collector]: which metrics there are depends on what the broker hosts.
func (metrics) Describe(chan<- *prometheus.Desc) {}

// statusTimeout bounds how long a scrape waits for a controller that is busy.
const statusTimeout = 5 * time.Second

// Collect implements [prometheus.Collector].
func (m metrics) Collect(out chan<- prometheus.Metric) {
	s := sink{out}
	m.topics(s)
	statuses := m.b.replicas.Statuses()
	replicas(s, statuses)
	partitions(s, statuses)
	m.waiting(s, statuses)
	m.replication(s, time.Now())
	m.logDirs(s)
	changes := m.b.replicas.Changes()
	s.count("kafka_server_replicamanager_isrshrinks_total", "ISR changes without a follower that lagged.", changes.Shrinks)
	s.count("kafka_server_replicamanager_isrexpands_total", "ISR changes with a follower that caught up.", changes.Expands)
	s.count("kafka_server_replicamanager_failedisrupdates_total", "ISR changes that the controller refused.", changes.Refused)
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	active := m.b.controller.Active()
	s.gauge("kafka_controller_kafkacontroller_activecontrollercount", "1 if this broker is the controller.", one(active))
	if status, answered := m.b.controller.Status(ctx); answered || !active {
		control(s, status)
	}
	elections(s, m.b.controller.Elections())
	m.b.connections.metrics(s, time.Now())
	m.groups(s, statuses)
	state := int64(1) // starting
	if m.b.health() == nil {
		state = 3 // running
	}
	s.gauge("kafka_server_kafkaserver_brokerstate", "1 starting or without a ZooKeeper session, 3 running.", state)
}

// topics shows what went through, of each topic and of all.
func (m metrics) topics(s sink) {
	all := m.b.replicas.Traffic()
	for _, row := range []struct {
		name, help string
		value      func(*replica.Traffic) int64
	}{
		{"messagesin", "Records that producers appended.", func(t *replica.Traffic) int64 { return t.MessagesIn }},
		{"bytesin", "Bytes that producers appended.", func(t *replica.Traffic) int64 { return t.BytesIn }},
		{"bytesout", "Bytes that consumers fetched.", func(t *replica.Traffic) int64 { return t.BytesOut }},
		{"bytesrejected", "Bytes of producers that were refused.", func(t *replica.Traffic) int64 { return t.BytesRejected }},
		{"replicationbytesin", "Bytes copied from leaders.", func(t *replica.Traffic) int64 { return t.ReplicatedIn }},
		{"replicationbytesout", "Bytes that followers copied.", func(t *replica.Traffic) int64 { return t.ReplicatedOut }},
		{"totalproducerequests", "Partitions in produce requests.", func(t *replica.Traffic) int64 { return t.Produces }},
		{"totalfetchrequests", "Partitions in answers to fetches.", func(t *replica.Traffic) int64 { return t.Fetches }},
		{"failedproducerequests", "Partitions in produce requests that were refused.", func(t *replica.Traffic) int64 { return t.FailedProduces }},
		{"failedfetchrequests", "Partitions in answers to fetches that are errors.", func(t *replica.Traffic) int64 { return t.FailedFetches }},
		{"invalidmessagecrcrecords", "Batches of producers with a wrong CRC.", func(t *replica.Traffic) int64 { return t.Corrupt }},
		{"nokeycompactedtopicrecords", "Batches of producers without a key in a compacted topic.", func(t *replica.Traffic) int64 { return t.Keyless }},
		{"invalidoffsetorsequencerecords", "Batches of producers with offsets, counts or sequence numbers that make no sense.", func(t *replica.Traffic) int64 { return t.Misnumbered }},
	} {
		name, total := "kafka_server_brokertopicmetrics_"+row.name+"_total", int64(0)
		for i := range all {
			v := row.value(&all[i])
			total += v
			s.count(name, row.help, v, "topic", all[i].Topic)
		}
		s.count(name, row.help, total)
	}
}

// replicas shows how many replicas are how.
func replicas(s sink, all []replica.Status) {
	var leaders, under, underMin, atMin, offline, maxLag int64
	for _, p := range all {
		switch {
		case p.Offline:
			offline++
		case p.Leads:
			leaders++
			under += one(p.ISR < p.Replicas)
			underMin += one(p.ISR < p.MinISR)
			atMin += one(p.ISR == p.MinISR)
		}
		maxLag = max(maxLag, p.Behind)
	}
	const prefix = "kafka_server_replicamanager_"
	s.gauge(prefix+"partitioncount", "Replicas here.", int64(len(all)))
	s.gauge(prefix+"leadercount", "Partitions led here.", leaders)
	s.gauge(prefix+"underreplicatedpartitions", "Partitions led here with replicas out of sync.", under)
	s.gauge(prefix+"underminisrpartitioncount", "Partitions led here below min.insync.replicas.", underMin)
	s.gauge(prefix+"atminisrpartitioncount", "Partitions led here with just min.insync.replicas.", atMin)
	s.gauge(prefix+"offlinereplicacount", "Replicas here whose log directory failed.", offline)
	s.gauge("kafka_server_replicafetchermanager_maxlag", "Records that a follower here lacks at most.", maxLag, "clientid", "Replica")
}

// partitions shows each replica here.
func partitions(s sink, all []replica.Status) {
	for _, p := range all {
		labels := []string{"topic", p.Topic, "partition", decimal(p.Partition)}
		s.gauge("kafka_log_log_logstartoffset", "First offset.", p.Start, labels...)
		s.gauge("kafka_log_log_logendoffset", "Offset of the next record.", p.End, labels...)
		s.gauge("kafka_log_log_size", "Bytes in segments.", p.Size, labels...)
		s.gauge("kafka_log_log_numlogsegments", "Segments.", int64(p.Segments), labels...)
		if !p.Leads {
			s.gauge("kafka_server_fetcherlagmetrics_consumerlag", "Records that this follower lacks.", p.Behind, append(labels, "clientid", "Replica")...)
			continue
		}
		s.gauge("kafka_cluster_partition_replicascount", "Replicas.", int64(p.Replicas), labels...)
		s.gauge("kafka_cluster_partition_insyncreplicascount", "Replicas in sync.", int64(p.ISR), labels...)
		s.gauge("kafka_cluster_partition_underreplicated", "1 if a replica is out of sync.", one(p.ISR < p.Replicas), labels...)
		s.gauge("kafka_cluster_partition_underminisr", "1 if below min.insync.replicas.", one(p.ISR < p.MinISR), labels...)
		s.gauge("kafka_cluster_partition_atminisr", "1 if at min.insync.replicas.", one(p.ISR == p.MinISR), labels...)
		s.gauge("kafka_cluster_partition_laststableoffsetlag", "Records behind the high watermark that an open transaction hides.", p.HW-p.Stable, labels...)
	}
}

// control shows what only the active controller knows; on other brokers these are 0, as Kafka's are.
func control(s sink, status controller.Status) {
	const prefix = "kafka_controller_kafkacontroller_"
	s.gauge(prefix+"offlinepartitionscount", "Partitions without a leader.", int64(status.Offline))
	s.gauge(prefix+"preferredreplicaimbalancecount", "Partitions that another than the preferred leader leads.", int64(status.Away))
	s.gauge(prefix+"globaltopiccount", "Topics.", int64(status.Topics))
	s.gauge(prefix+"globalpartitioncount", "Partitions.", int64(status.Partitions))
	s.gauge(prefix+"activebrokercount", "Brokers that are registered.", int64(status.Brokers))
	s.gauge(prefix+"topicstodeletecount", "Topics being deleted.", int64(status.Deleting))
	s.gauge("kafka_controller_kafkacontroller_reassigningpartitions", "Partitions being moved.", int64(status.Reassigning))
}

// groups shows the groups that this broker coordinates, and their lag where it leads what they read.
func (m metrics) groups(s sink, all []replica.Status) {
	type place struct {
		topic     string
		partition int32
	}
	ends := map[place]int64{}
	for _, p := range all {
		if p.Leads {
			ends[place{p.Topic, p.Partition}] = p.HW
		}
	}
	states := map[string]int64{"Empty": 0, "PreparingRebalance": 0, "CompletingRebalance": 0, "Stable": 0}
	groups, offsets := m.b.groups.Statuses(), int64(0)
	for _, g := range groups {
		states[g.State]++
		offsets += int64(len(g.Offsets))
		s.gauge("kafka_consumergroup_members", "Members.", int64(g.Members), "consumergroup", g.ID)
		for _, c := range g.Offsets {
			labels := []string{"consumergroup", g.ID, "topic", c.Topic, "partition", decimal(c.Partition)}
			s.gauge("kafka_consumergroup_current_offset", "Committed offset.", c.Offset, labels...)
			if end, ok := ends[place{c.Topic, c.Partition}]; ok {
				s.gauge("kafka_consumergroup_lag", "Records up to the high watermark, where this broker leads the partition.", max(end-c.Offset, 0), labels...)
			}
		}
	}
	const prefix = "kafka_coordinator_group_groupmetadatamanager_"
	s.gauge(prefix+"numgroups", "Groups coordinated here.", int64(len(groups)))
	s.gauge(prefix+"numoffsets", "Offsets committed by them.", offsets)
	s.gauge(prefix+"numgroupsempty", "Groups without members.", states["Empty"])
	s.gauge(prefix+"numgroupspreparingrebalance", "Groups whose members join.", states["PreparingRebalance"])
	s.gauge(prefix+"numgroupscompletingrebalance", "Groups that wait for their assignment.", states["CompletingRebalance"])
	s.gauge(prefix+"numgroupsstable", "Groups at work.", states["Stable"])
}

// waiting shows fetch sessions, and the requests that wait for records or for followers.
func (m metrics) waiting(s sink, all []replica.Status) {
	sessions, partitions, evicted := m.b.replicas.FetchSessions()
	const prefix = "kafka_server_fetchsessioncache_"
	s.gauge(prefix+"numincrementalfetchsessions", "Fetch sessions that are kept.", int64(sessions))
	s.gauge(prefix+"numincrementalfetchpartitionscached", "Partitions in fetch sessions.", int64(partitions))
	s.count(prefix+"incrementalfetchsessionevictions_total", "Fetch sessions that had to go for others.", evicted)
	acks := int64(0)
	for _, p := range all {
		acks += int64(p.Acks)
	}
	const purgatory, help = "kafka_server_delayedoperationpurgatory_purgatorysize", "Requests that wait: producers' for followers, by partition, and fetches for records."
	s.gauge(purgatory, help, acks, "delayedoperation", "Produce")
	s.gauge(purgatory, help, m.b.replicas.WaitingFetches(), "delayedoperation", "Fetch")
}

// replication shows how fast replicas under a throttle copy.
func (m metrics) replication(s sink, now time.Time) {
	leader, follower := m.b.replicas.ThrottledRates(now)
	const help = "Bytes a second that replicas under a throttle copied of late."
	s.gauge("kafka_server_leaderreplication_byte_rate", help, int64(leader))
	s.gauge("kafka_server_followerreplication_byte_rate", help, int64(follower))
}

// logDirs shows which log directories failed.
func (m metrics) logDirs(s sink) {
	offline := int64(0)
	for path, failed := range m.b.replicas.LogDirs() {
		offline += one(failed)
		s.gauge("kafka_log_logmanager_logdirectoryoffline", "1 if the log directory failed.", one(failed), "logdirectory", path)
	}
	s.gauge("kafka_log_logmanager_offlinelogdirectorycount", "Log directories that failed.", offline)
}

// elections shows what this broker did in all its terms as controller.
func elections(s sink, e controller.Elections) {
	const prefix = "kafka_controller_controllerstats_"
	s.count(prefix+"uncleanleaderelections_total", "Leaders elected outside of the in-sync replicas.", e.Unclean)
	s.summary(prefix+"leaderelectionrateandtimems", "Milliseconds to look after partitions that lost their leader.", e.Handled, e.Took)
}

// sink takes metrics; labels alternate between names and values.
type sink struct{ out chan<- prometheus.Metric }

func (s sink) gauge(name, help string, v int64, labels ...string) {
	s.put(prometheus.GaugeValue, name, help, float64(v), labels)
}

func (s sink) count(name, help string, v int64, labels ...string) {
	s.put(prometheus.CounterValue, name, help, float64(v), labels)
}

// rate is a gauge of something a second.
func (s sink) rate(name, help string, v float64, labels ...string) {
	s.put(prometheus.GaugeValue, name, help, v, labels)
}

// summary is how often something happened, and how long it took altogether.
func (s sink) summary(name, help string, count int64, took time.Duration) {
	millis := float64(took) / float64(time.Millisecond)
	s.out <- prometheus.MustNewConstSummary(prometheus.NewDesc(name, help, nil, nil), uint64(count), millis, nil)
}

func (s sink) put(kind prometheus.ValueType, name, help string, v float64, labels []string) {
	var names, values []string
	for i := 0; i < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	s.out <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, names, nil), kind, v, values...)
}

func one(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func decimal[N int16 | int32](n N) string { return strconv.FormatInt(int64(n), 10) }
