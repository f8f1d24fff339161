package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"kdrill/node/wire"
)

// as are the options of a client that is a user of the listener SIMPLE.
func as(user string) kgo.Opt {
	password := map[string]string{"alice": `alice's "word"`, "bob": "bobs"}[user]
	return kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())
}

func (s *securedCluster) user(t *testing.T, name string, opts ...kgo.Opt) *kgo.Client {
	return s.through(t, "SIMPLE", append([]kgo.Opt{as(name), kgo.ProducerLinger(0)}, opts...)...)
}

// allow adds entries and waits until every broker goes by them.
func (s *securedCluster) allow(t *testing.T, b *kadm.ACLBuilder) {
	t.Helper()
	made, err := s.admin(t).CreateACLs(t.Context(), b)
	if err != nil || slices.ContainsFunc(made, func(r kadm.CreateACLsResult) bool { return r.Err != nil }) {
		t.Fatalf("create ACLs: %+v %v", made, err)
	}
	for _, n := range s.brokers {
		s.eventually("a broker knows the entries", func() bool {
			known := s.listACLs(t, n.addr)
			return !slices.ContainsFunc(made, func(r kadm.CreateACLsResult) bool {
				return !known[entryOf{r.Type, r.Name, r.Pattern, r.Principal, r.Host, r.Operation, r.Permission}]
			})
		})
	}
}

// entryOf is an entry of an access control list, with what the list is of.
type entryOf struct {
	kind       kmsg.ACLResourceType
	name       string
	pattern    kmsg.ACLResourcePatternType
	principal  string
	host       string
	operation  kmsg.ACLOperation
	permission kmsg.ACLPermissionType
}

// listACLs are the entries that a broker knows.
func (s *securedCluster) listACLs(t *testing.T, broker string) map[entryOf]bool {
	t.Helper()
	conn, err := wire.Dial(t.Context(), broker, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	req := kmsg.NewPtrDescribeACLsRequest()
	req.Version, req.ResourceType, req.ResourcePatternType = 3, kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	req.Operation, req.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	answer, err := conn.Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	known := map[entryOf]bool{}
	for _, r := range answer.(*kmsg.DescribeACLsResponse).Resources {
		for _, e := range r.ACLs {
			known[entryOf{r.ResourceType, r.ResourceName, r.ResourcePatternType, e.Principal, e.Host, e.Operation, e.PermissionType}] = true
		}
	}
	return known
}

// testACLs has alice own what begins with "alice-", bob read one of those topics, and everybody else nothing of it.
func (s *securedCluster) testACLs(t *testing.T) {
	s.create(t, "alice-orders", 1, nil)
	s.create(t, "alice-secret", 1, nil)
	s.allow(t, kadm.NewACLs().Topics("alice-").Groups("alice-").TransactionalIDs("alice-").ResourcePatternType(kadm.ACLPatternPrefixed).
		Allow("User:alice").Operations(kadm.OpAll))
	s.allow(t, kadm.NewACLs().Topics("alice-orders").Groups("alice-readers").ResourcePatternType(kadm.ACLPatternLiteral).
		Allow("User:bob").AllowHosts("127.0.0.1").Operations(kadm.OpRead))
	s.allow(t, kadm.NewACLs().TransactionalIDs("closed-t").ResourcePatternType(kadm.ACLPatternLiteral).Allow("User:root").Operations(kadm.OpWrite))
	s.allow(t, kadm.NewACLs().Clusters().Allow("User:alice").Operations(kadm.OpDescribe))

	t.Run("who may write writes", func(t *testing.T) {
		produce(t, s.user(t, "alice"), "alice-orders", 0, 10)
		for id, want := range map[string]error{"alice-t": nil, "closed-t": kerr.TransactionalIDAuthorizationFailed} {
			if err := transact(t, s.user(t, "alice", kgo.TransactionalID(id), kgo.RecordRetries(0)), "alice-secret"); !errors.Is(err, want) {
				t.Errorf("transaction %s: %v, want %v", id, err, want)
			}
		}
	})
	t.Run("who may not write is refused", func(t *testing.T) {
		err := s.user(t, "bob", kgo.RecordRetries(0)).ProduceSync(t.Context(), &kgo.Record{Topic: "alice-orders"}).FirstErr()
		if !errors.Is(err, kerr.TopicAuthorizationFailed) && !errors.Is(err, kerr.ClusterAuthorizationFailed) {
			t.Errorf("bob writes: %v", err)
		}
	})
	t.Run("who may read reads, in the groups that are allowed", func(t *testing.T) {
		poll(t, s.user(t, "bob", kgo.ConsumeTopics("alice-orders"), kgo.ConsumerGroup("alice-readers"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), 10)
		for _, c := range []struct {
			topic, group string
			want         error
		}{{"alice-secret", "", kerr.TopicAuthorizationFailed}, {"alice-orders", "alice-others", kerr.GroupAuthorizationFailed}} {
			opts := []kgo.Opt{kgo.ConsumeTopics(c.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
			if c.group != "" {
				opts = append(opts, kgo.ConsumerGroup(c.group))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			client := s.user(t, "bob", opts...)
			if errs := client.PollFetches(ctx).Errors(); len(errs) == 0 || !errors.Is(errs[0].Err, c.want) {
				t.Errorf("%s in group %q: %v, want %v", c.topic, c.group, errs, c.want)
			}
		}
	})
	t.Run("topics that may not be described are not listed", func(t *testing.T) {
		listed, err := kadm.NewClient(s.user(t, "bob")).ListTopics(t.Context())
		if err != nil || !listed.Has("alice-orders") || listed.Has("alice-secret") {
			t.Errorf("bob sees %v, %v", listed.Names(), err)
		}
		for _, name := range []string{"alice-secret", "alice-absent"} {
			if asked, err := kadm.NewClient(s.user(t, "bob")).ListTopics(t.Context(), name); !errors.Is(err, kerr.TopicAuthorizationFailed) {
				t.Errorf("bob learns %v, %v", asked, err)
			}
		}
	})
	t.Run("administration needs its operations", s.testAdministration)
	t.Run("requests of brokers are refused to others", s.testBrokerRequests)
	t.Run("entries are deleted", s.testDeleteACLs)
}

// transact writes one record in a transaction.
func transact(t *testing.T, client *kgo.Client, topic string) error {
	t.Helper()
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic}).FirstErr(); err != nil {
		return err
	}
	return client.EndTransaction(t.Context(), kgo.TryCommit)
}

func (s *securedCluster) testAdministration(t *testing.T) {
	alice, bob := kadm.NewClient(s.user(t, "alice")), kadm.NewClient(s.user(t, "bob"))
	if made, err := alice.CreateTopic(t.Context(), 1, 3, nil, "alice-made"); err != nil || made.Err != nil {
		t.Errorf("alice creates: %v %v", made, err)
	}
	if made, _ := bob.CreateTopic(t.Context(), 1, 3, nil, "alice-by-bob"); !errors.Is(made.Err, kerr.TopicAuthorizationFailed) {
		t.Errorf("bob creates: %v", made.Err)
	}
	if gone, _ := bob.DeleteTopic(t.Context(), "alice-orders"); !errors.Is(gone.Err, kerr.TopicAuthorizationFailed) {
		t.Errorf("bob deletes: %v", gone.Err)
	}
	if gone, _ := bob.DeleteTopic(t.Context(), "alice-made"); !errors.Is(gone.Err, kerr.TopicAuthorizationFailed) {
		t.Errorf("bob deletes what he does not see: %v", gone.Err)
	}
	value := "1000000"
	if set, err := bob.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "retention.ms", Value: &value}}, "alice-orders"); err != nil || !errors.Is(set[0].Err, kerr.TopicAuthorizationFailed) {
		t.Errorf("bob configures: %v %v", set, err)
	}
	if set, err := alice.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "retention.ms", Value: &value}}, "alice-orders"); err != nil || set[0].Err != nil {
		t.Errorf("alice configures: %v %v", set, err)
	}
	every := kadm.NewACLs().AnyResource().Allow().AllowHosts().Operations(kadm.OpAny).ResourcePatternType(kadm.ACLPatternAny)
	if all, err := bob.DescribeACLs(t.Context(), every); !errors.Is(err, kerr.ClusterAuthorizationFailed) && (len(all) == 0 || !errors.Is(all[0].Err, kerr.ClusterAuthorizationFailed)) {
		t.Errorf("bob describes lists: %v %v", all, err)
	}
	if all, err := alice.DescribeACLs(t.Context(), every); err != nil || len(all) == 0 || len(all[0].Described) != 7 {
		t.Errorf("alice describes lists: %v %v", all, err)
	}
	meta, err := kadm.NewClient(s.user(t, "alice")).DescribeGroups(t.Context(), "alice-readers")
	if err != nil || meta["alice-readers"].Err != nil {
		t.Errorf("alice describes the group: %v %v", meta, err)
	}
	if meta, err := bob.DescribeGroups(t.Context(), "alice-others"); !errors.Is(err, kerr.GroupAuthorizationFailed) {
		t.Errorf("bob describes another group: %v %v", meta, err)
	}
}

// testBrokerRequests plays a broker without being one.
func (s *securedCluster) testBrokerRequests(t *testing.T) {
	conn, err := wire.Dialer{SASL: plain.Auth{User: "bob", Pass: "bobs"}.AsMechanism()}.Dial(t.Context(), fmt.Sprintf("127.0.0.1:%d", s.ports["SIMPLE"][1]), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func(req kmsg.Request, version int16) kmsg.Response {
		req.SetVersion(version)
		resp, err := conn.Request(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	want := kerr.ClusterAuthorizationFailed.Code
	if got := ask(kmsg.NewPtrUpdateMetadataRequest(), 7).(*kmsg.UpdateMetadataResponse).ErrorCode; got != want {
		t.Errorf("UpdateMetadata: %d", got)
	}
	if got := ask(kmsg.NewPtrLeaderAndISRRequest(), 5).(*kmsg.LeaderAndISRResponse).ErrorCode; got != want {
		t.Errorf("LeaderAndIsr: %d", got)
	}
	if got := ask(kmsg.NewPtrAlterPartitionRequest(), 3).(*kmsg.AlterPartitionResponse).ErrorCode; got != want {
		t.Errorf("AlterPartition: %d", got)
	}
	fetch := kmsg.NewPtrFetchRequest()
	fetch.ReplicaID, fetch.MaxBytes, fetch.SessionEpoch = 2, 1<<20, -1
	fetch.Topics = []kmsg.FetchRequestTopic{{Topic: "alice-orders", Partitions: []kmsg.FetchRequestTopicPartition{{PartitionMaxBytes: 1 << 20, CurrentLeaderEpoch: -1}}}}
	got := ask(fetch, 11).(*kmsg.FetchResponse)
	if len(got.Topics) != 1 || got.Topics[0].Partitions[0].ErrorCode != kerr.TopicAuthorizationFailed.Code {
		t.Errorf("Fetch as a follower: %+v", got.Topics)
	}
}

func (s *securedCluster) testDeleteACLs(t *testing.T) {
	gone, err := s.admin(t).DeleteACLs(t.Context(), kadm.NewACLs().Topics("alice-orders").ResourcePatternType(kadm.ACLPatternLiteral).Allow("User:bob").AllowHosts().Operations(kadm.OpAny))
	if err != nil || len(gone) != 1 || len(gone[0].Deleted) != 1 || gone[0].Deleted[0].Operation != kadm.OpRead {
		t.Fatalf("deleted %+v %v", gone, err)
	}
	admin := kadm.NewClient(s.user(t, "bob"))
	for range 3 {
		s.eventually("bob does not see the topic any more", func() bool {
			listed, err := admin.ListTopics(t.Context())
			return err == nil && !listed.Has("alice-orders")
		})
	}
}
