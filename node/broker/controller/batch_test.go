package controller

import (
	"encoding/base64"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// small is a view with brokers 1 and 2, and the topics a with two partitions, and b, which is being deleted.
func small() *view {
	v := newView()
	for id := int32(1); id <= 2; id++ {
		v.brokers[id] = broker{id: id, epoch: int64(100 + id), BrokerRegistration: layout.BrokerRegistration{
			Endpoints:        []string{"INTERNAL://in:9000", "PLAINTEXT://out:9001"},
			SecurityProtocol: map[string]string{"INTERNAL": "SASL_SSL", "PLAINTEXT": "PLAINTEXT"}, Rack: "r1",
		}}
	}
	for _, name := range []string{"a", "b"} {
		t := &topic{name: name, id: [16]byte{name[0]}, partitions: map[int32]*partition{}}
		t.assign(layout.NewTopicAssignment("", [][]int32{{1, 2, 3}, {2, 1}}))
		for id, p := range t.partitions {
			p.state = &state{PartitionState: stateOf(id+1, 5, p.replicas...), epoch: 7}
		}
		v.topics[name] = t
	}
	v.topics["b"].deletion = &deletion{}
	return v
}

func kinds(requests []kmsg.Request) []string {
	var all []string
	for _, req := range requests {
		all = append(all, kmsg.NameForKey(req.Key()))
	}
	return all
}

func TestAnEventMakesAtMostOneRequestOfAKindForEachBroker(t *testing.T) {
	v, b := small(), newBatch()
	for _, p := range v.topics["a"].partitions {
		b.sendLead(1, p, false)
		b.sendLead(1, p, true)
		b.sendLead(3, p, false) // not registered: gets nothing
		b.metadata[p] = true
	}
	b.sendStop(2, v.partition("b", 0), false)
	b.sendStop(2, v.partition("b", 0), true)
	b.sendStop(2, v.partition("a", 1), false)
	all := b.requests(v, sender{id: 9, epoch: 4, listener: "PLAINTEXT"})
	if len(all) != 2 || !slices.Equal(kinds(all[1]), []string{"LeaderAndISR", "UpdateMetadata"}) || !slices.Equal(kinds(all[2]), []string{"UpdateMetadata", "StopReplica"}) {
		t.Fatalf("1 gets %v, 2 gets %v", kinds(all[1]), kinds(all[2]))
	}
	lead := all[1][0].(*kmsg.LeaderAndISRRequest)
	if lead.Version != 7 || lead.ControllerID != 9 || lead.ControllerEpoch != 4 || lead.BrokerEpoch != 101 {
		t.Errorf("header %+v", lead)
	}
	if len(lead.TopicStates) != 1 || lead.TopicStates[0].TopicID[0] != 'a' || len(lead.TopicStates[0].PartitionStates) != 2 {
		t.Fatalf("topics %+v", lead.TopicStates)
	}
	if p := lead.TopicStates[0].PartitionStates[1]; !p.IsNew || p.Partition != 1 || p.Leader != 2 || p.LeaderEpoch != 5 || p.ZKVersion != 7 || !slices.Equal(p.Replicas, []int32{2, 1}) {
		t.Errorf("partition %+v", p)
	}
	if len(lead.LiveLeaders) != 2 || lead.LiveLeaders[0].Host != "out" || lead.LiveLeaders[0].Port != 9001 {
		t.Errorf("live leaders %+v", lead.LiveLeaders)
	}
	stop := all[2][1].(*kmsg.StopReplicaRequest)
	if a := stop.Topics[0].PartitionStates[0]; stop.Topics[0].Topic != "a" || a.Delete || a.LeaderEpoch != 5 {
		t.Errorf("stop %+v", stop.Topics[0])
	}
	if b := stop.Topics[1].PartitionStates[0]; !b.Delete || b.LeaderEpoch != epochDuringDelete {
		t.Errorf("a topic that is deleted is stopped with %+v", b)
	}
}

func TestMetadataOfPartitions(t *testing.T) {
	v, b := small(), newBatch()
	v.partition("a", 1).state = nil
	b.full[2] = true
	b.members = true
	all := b.requests(v, sender{})
	if update := all[1][0].(*kmsg.UpdateMetadataRequest); len(all[1]) != 1 || len(update.TopicStates) != 0 || len(update.LiveBrokers) != 2 {
		t.Errorf("a known broker hears %+v", update)
	}
	update := all[2][0].(*kmsg.UpdateMetadataRequest)
	if len(all[2]) != 1 || len(update.TopicStates) != 2 {
		t.Fatalf("a fresh broker hears %+v", update)
	}
	if a := update.TopicStates[0].PartitionStates; len(a) != 1 || a[0].Leader != 1 || !slices.Equal(a[0].OfflineReplicas, []int32{3}) {
		t.Errorf("partitions that never had a leader are not for clients: %+v", a)
	}
	if gone := update.TopicStates[1].PartitionStates; len(gone) != 2 || gone[0].Leader != leaderDuringDelete {
		t.Errorf("a topic that is deleted has the metadata %+v", gone)
	}
	live := update.LiveBrokers[0]
	if live.ID != 1 || *live.Rack != "r1" || len(live.Endpoints) != 2 || live.Endpoints[0].SecurityProtocol != 3 || live.Endpoints[1].Host != "out" || live.Endpoints[1].SecurityProtocol != 0 {
		t.Errorf("live broker %+v", live)
	}
}

func TestNothingHappenedMakesNoRequests(t *testing.T) {
	if all := newBatch().requests(small(), sender{}); len(all) != 0 {
		t.Errorf("requests %v", all)
	}
}

func FuzzParseEndpoint(f *testing.F) {
	f.Add("PLAINTEXT://127.0.0.1:9092")
	f.Add("SSL://[::1]:9093")
	f.Fuzz(func(t *testing.T, text string) {
		if _, _, port, ok := parseEndpoint(text); ok && (port < 0 || port > 65535) {
			t.Errorf("%q has port %d", text, port)
		}
	})
}

func FuzzParseTopicID(f *testing.F) {
	f.Add("a92pitikTIGH4knMxsjVSg")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := parseTopicID(text)
		if !ok {
			return
		}
		again, ok := parseTopicID(base64.RawURLEncoding.EncodeToString(id[:]))
		if !ok || again != id {
			t.Errorf("%q reads as %v, which reads as %v, %v", text, id, again, ok)
		}
	})
}
