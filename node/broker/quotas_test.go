package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"kdrill/node/layout"
	"kdrill/node/log"
	"kdrill/node/wire"
)

func TestPathsOfEntities(t *testing.T) {
	text := func(s string) *string { return &s }
	for want, e := range map[string]quotaEntity{
		"users/al%20ice":                    {ofUser: text("al ice")},
		"users/<default>":                   {ofUser: nil},
		"users/%2A/clients/a%2Fb":           {ofUser: text("*"), ofClient: text("a/b")},
		"users/<default>/clients/<default>": {ofUser: nil, ofClient: nil},
		"clients/app":                       {ofClient: text("app")},
		"ips/10.0.0.1":                      {ofIP: text("10.0.0.1")},
		"ips/<default>":                     {ofIP: nil},
		"an ip has no user":                 {ofIP: nil, ofUser: nil},
		"is no address":                     {ofIP: text("somewhere")},
		"cannot be empty":                   {ofUser: text("")},
		`not "host"`:                        {"host": nil},
		"no entity":                         {},
	} {
		got, err := e.path()
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("got %s, want %s", got, want)
		}
		if err != nil {
			continue
		}
		back, ok := entityOf(got)
		if again, _ := back.path(); !ok || again != got {
			t.Errorf("%s became %v", got, back)
		}
	}
	if name := layout.Sanitize("a b+c*d~e/é"); name != "a%20b%2Bc%2Ad%7Ee%2F%C3%A9" {
		t.Errorf("sanitized: %s", name)
	}
}

func TestValuesOfQuotas(t *testing.T) {
	for _, c := range []struct {
		key   string
		value float64
		ip    bool
		want  string
	}{
		{"producer_byte_rate", 1048576, false, "1048576"},
		{"producer_byte_rate", 0.5, false, "not a whole number"},
		{"request_percentage", 50, false, "50.0"},
		{"request_percentage", 12.5, false, "12.5"},
		{"consumer_byte_rate", -1, false, "is no rate"},
		{"connection_creation_rate", 5, true, "5"},
		{"connection_creation_rate", 5, false, "is no quota"},
		{"producer_byte_rate", 5, true, "is no quota"},
		{"nonsense", 5, false, "is no quota"},
	} {
		got, err := quotaValue(kmsg.AlterClientQuotasRequestEntryOp{Key: c.key, Value: c.value}, c.ip)
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s=%v: got %s, want %s", c.key, c.value, got, c.want)
		}
	}
}

func quotaOf(kind, name string) kadm.ClientQuotaEntity {
	return kadm.ClientQuotaEntity{{Type: kind, Name: &name}}
}

// setQuota sets a quota, or removes it, and waits until every broker has it.
func (s *securedCluster) setQuota(t *testing.T, e kadm.ClientQuotaEntity, op kadm.AlterClientQuotaOp) {
	t.Helper()
	set, err := s.admin(t).AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{Entity: e, Ops: []kadm.AlterClientQuotaOp{op}}})
	if err != nil || set[0].Err != nil {
		t.Fatalf("quota of %v: %v %v", e, set, err)
	}
	filter := kadm.DescribeClientQuotaComponent{Type: e[0].Type, MatchName: e[0].Name, MatchType: kmsg.QuotasMatchTypeExact}
	for _, n := range s.brokers {
		admin := kadm.NewClient(s.client(t, kgo.SeedBrokers(n.addr)))
		s.eventually("broker knows the quota", func() bool {
			found, err := admin.DescribeClientQuotas(t.Context(), true, []kadm.DescribeClientQuotaComponent{filter})
			if err != nil {
				return false
			}
			has := slices.ContainsFunc(found, func(q kadm.DescribedClientQuota) bool {
				return slices.ContainsFunc(q.Values, func(v kadm.ClientQuotaValue) bool { return v.Key == op.Key && v.Value == op.Value })
			})
			return has != op.Remove
		})
	}
}

// testQuotas uses more than is allowed, in each way that is limited.
func (s *securedCluster) testQuotas(t *testing.T) {
	s.create(t, "quota", 1, nil)
	t.Run("produce and fetch", func(t *testing.T) {
		s.setQuota(t, quotaOf(ofUser, "bob"), kadm.AlterClientQuotaOp{Key: "producer_byte_rate", Value: 50_000})
		s.setQuota(t, quotaOf(ofClient, "greedy"), kadm.AlterClientQuotaOp{Key: "consumer_byte_rate", Value: 20_000})
		conn := s.leaderConn(t, "quota", "bob", "modest")
		if got := produceBytes(t, conn, 100_000); got != 0 {
			t.Errorf("within the quota: throttled for %d ms", got)
		}
		if got := produceBytes(t, conn, 900_000); got <= 0 {
			t.Error("beyond the quota: not throttled")
		}
		if got := fetchThrottle(t, s.leaderConn(t, "quota", "alice", "modest")); got != 0 {
			t.Errorf("another client fetches: throttled for %d ms", got)
		}
		greedy := s.leaderConn(t, "quota", "alice", "greedy")
		s.eventually("the client is throttled", func() bool { return fetchThrottle(t, greedy) > 0 })
		s.setQuota(t, quotaOf(ofUser, "bob"), kadm.AlterClientQuotaOp{Key: "producer_byte_rate", Remove: true})
		if got := produceBytes(t, s.leaderConn(t, "quota", "bob", "modest"), 450_000); got != 0 {
			t.Errorf("without a quota: throttled for %d ms", got)
		}
	})
	t.Run("request time", func(t *testing.T) {
		s.setQuota(t, quotaOf(ofUser, "bob"), kadm.AlterClientQuotaOp{Key: "request_percentage", Value: 0.0001})
		conn := s.leaderConn(t, "quota", "bob", "busy")
		s.eventually("requests are throttled", func() bool {
			resp, err := conn.Request(t.Context(), &kmsg.MetadataRequest{Version: 9})
			return err != nil || resp.(*kmsg.MetadataResponse).ThrottleMillis > 0
		})
		s.setQuota(t, quotaOf(ofUser, "bob"), kadm.AlterClientQuotaOp{Key: "request_percentage", Remove: true})
	})
	t.Run("changes of topics", func(t *testing.T) {
		s.setQuota(t, quotaOf(ofUser, "alice"), kadm.AlterClientQuotaOp{Key: "controller_mutation_rate", Value: 0.1})
		topics, err := kadm.NewClient(s.user(t, "alice")).CreateTopics(t.Context(), 1, 3, nil, "alice-m1", "alice-m2", "alice-m3", "alice-m4")
		if err != nil {
			t.Fatal(err)
		}
		made := map[error]int{}
		for _, topic := range topics {
			made[topic.Err]++
		}
		if made[nil] == 0 || made[kerr.ThrottlingQuotaExceeded] == 0 {
			t.Errorf("topics created: %v", made)
		}
		s.setQuota(t, quotaOf(ofUser, "alice"), kadm.AlterClientQuotaOp{Key: "controller_mutation_rate", Remove: true})
	})
	t.Run("what makes no sense is refused", func(t *testing.T) {
		set, err := s.admin(t).AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{Entity: quotaOf(ofUser, "bob"), Ops: []kadm.AlterClientQuotaOp{{Key: "color", Value: 1}}}})
		if err != nil || !errors.Is(set[0].Err, kerr.InvalidRequest) || set[0].ErrMessage == "" {
			t.Errorf("%+v %v", set, err)
		}
	})
	t.Run("a user's password stays", func(t *testing.T) {
		s.setPassword(t, "grace", "word")
		s.setQuota(t, quotaOf(ofUser, "grace"), kadm.AlterClientQuotaOp{Key: "producer_byte_rate", Value: 5})
		s.setQuota(t, quotaOf(ofUser, "grace"), kadm.AlterClientQuotaOp{Key: "producer_byte_rate", Remove: true})
		s.awaitPing(t, true, "SCRAM", kgo.DialTLSConfig(s.trust("")), kgo.SASL(scramAs("grace", "word")))
	})
}

// leaderConn is a user's connection to the leader of a topic's only partition.
func (s *securedCluster) leaderConn(t *testing.T, topic, user, clientID string) *wire.Client {
	t.Helper()
	leader := s.partition(t, topic, 0).Leader
	password := map[string]string{"alice": `alice's "word"`, "bob": "bobs"}[user]
	conn, err := wire.Dialer{SASL: plain.Auth{User: user, Pass: password}.AsMechanism()}.Dial(t.Context(), fmt.Sprintf("127.0.0.1:%d", s.ports["SIMPLE"][leader]), clientID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// produceBytes writes a batch of a size and returns how long the broker wants the client to rest, in milliseconds.
func produceBytes(t *testing.T, conn *wire.Client, size int) int32 {
	t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, 1, 10_000
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = batchOf(size)
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: "quota", Partitions: []kmsg.ProduceRequestTopicPartition{part}}}
	resp, err := conn.Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	got := resp.(*kmsg.ProduceResponse)
	if code := got.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	return got.ThrottleMillis
}

func fetchThrottle(t *testing.T, conn *wire.Client) int32 {
	t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.SessionEpoch, req.ReplicaID = 11, 1<<20, -1, -1
	part := kmsg.NewFetchRequestTopicPartition()
	part.PartitionMaxBytes = 1 << 20
	req.Topics = []kmsg.FetchRequestTopic{{Topic: "quota", Partitions: []kmsg.FetchRequestTopicPartition{part}}}
	resp, err := conn.Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.(*kmsg.FetchResponse).ThrottleMillis
}

func batchOf(size int) []byte {
	return log.EncodeBatch(log.Record{Timestamp: 1, Value: make([]byte, size)})
}
