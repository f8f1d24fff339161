package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/settings"
	"kdrill/node/layout"
)

func TestReplicasSpreadAsApachesDo(t *testing.T) {
	// The example in Kafka's AdminUtils: ten partitions, three replicas, five brokers, starting at 0 with no shift.
	got, err := assign([]int32{0, 1, 2, 3, 4}, nil, 0, 10, 3, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := "[[0 1 2] [1 2 3] [2 3 4] [3 4 0] [4 0 1] [0 2 3] [1 3 4] [2 4 0] [3 0 1] [4 1 2]]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

func TestReplicasSpreadOverRacksAsApachesDo(t *testing.T) {
	// The example in Kafka's AdminUtils: brokers alternate by rack as 0, 3, 1, 5, 4, 2.
	racks := map[int32]string{0: "rack1", 1: "rack3", 2: "rack3", 3: "rack2", 4: "rack2", 5: "rack1"}
	got, err := assign([]int32{0, 1, 2, 3, 4, 5}, racks, 0, 7, 3, 0, 0)
	if want := "[[0 3 1] [3 1 5] [1 5 4] [5 4 2] [4 2 0] [2 0 3] [0 4 2]]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("got  %v %v\nwant %s", got, err, want)
	}
	for factor := int16(1); factor <= 6; factor++ {
		all, err := assign([]int32{0, 1, 2, 3, 4, 5}, racks, 0, 24, factor, 2, 5)
		if err != nil {
			t.Fatal(err)
		}
		for p, replicas := range all {
			in, distinct := map[string]bool{}, map[int32]bool{}
			for _, id := range replicas {
				in[racks[id]], distinct[id] = true, true
			}
			if len(distinct) != int(factor) || len(in) != min(int(factor), 3) {
				t.Errorf("factor %d: partition %d has %v", factor, p, replicas)
			}
		}
	}
	delete(racks, 4) // where one has none, racks do not count
	got, err = assign([]int32{0, 1, 2, 3, 4, 5}, racks, 0, 1, 3, 0, 0)
	if err != nil || fmt.Sprint(got) != "[[0 1 2]]" {
		t.Errorf("%v %v", got, err)
	}
	got, err = assign([]int32{7}, map[int32]string{7: "r"}, 0, 2, 1, 0, 0)
	if err != nil || fmt.Sprint(got) != "[[7] [7]]" {
		t.Errorf("%v %v", got, err)
	}
}

func TestEveryAssignmentIsFair(t *testing.T) {
	brokers := []int32{3, 7, 12, 40}
	for factor := int16(1); factor <= 4; factor++ {
		for start := range 4 {
			all, err := assign(brokers, nil, 0, 12, factor, start, start+1)
			if err != nil {
				t.Fatal(err)
			}
			leads := map[int32]int{}
			for p, replicas := range all {
				leads[replicas[0]]++
				distinct := slices.Clone(replicas)
				slices.Sort(distinct)
				if len(slices.Compact(distinct)) != int(factor) {
					t.Errorf("factor %d: partition %d has %v", factor, p, replicas)
				}
			}
			for _, id := range brokers {
				if leads[id] != 3 {
					t.Errorf("factor %d: broker %d leads %d of 12 partitions", factor, id, leads[id])
				}
			}
		}
	}
	if all, err := assign([]int32{5}, nil, 0, 2, 1, 0, 0); err != nil || fmt.Sprint(all) != "[[5] [5]]" {
		t.Errorf("one broker: %v %v", all, err)
	}
	for _, factor := range []int16{0, -1, 5} {
		if _, err := assign(brokers, nil, 0, 1, factor, 0, 0); !errors.Is(err, kerr.InvalidReplicationFactor) {
			t.Errorf("factor %d: %v", factor, err)
		}
	}
	if _, err := assign(nil, nil, 0, 1, 1, 0, 0); !errors.Is(err, kerr.InvalidReplicationFactor) {
		t.Errorf("no broker: %v", err)
	}
}

func TestAddedPartitionsContinueTheRound(t *testing.T) {
	topic := layout.NewTopicAssignment("", [][]int32{{2, 3}, {3, 1}})
	asked := kmsg.CreatePartitionsRequestTopic{Topic: "t", Count: 4}
	added, err := placePartitions(topic, asked, []int32{1, 2, 3}, nil)
	if err != nil || len(added) != 2 || added[0][0] != 1 || added[1][0] != 2 || len(added[0]) != 2 {
		t.Errorf("%v %v", added, err)
	}
	replicas := func(ids ...int32) kmsg.CreatePartitionsRequestTopicAssignment {
		return kmsg.CreatePartitionsRequestTopicAssignment{Replicas: ids}
	}
	type list = []kmsg.CreatePartitionsRequestTopicAssignment
	for name, refused := range map[string]kmsg.CreatePartitionsRequestTopic{
		"too few":        {Count: 4, Assignment: list{replicas(1, 2)}},
		"other factor":   {Count: 3, Assignment: list{replicas(1)}},
		"a broker twice": {Count: 3, Assignment: list{replicas(1, 1)}},
		"a dead broker":  {Count: 3, Assignment: list{replicas(1, 9)}},
		"none":           {Count: 3, Assignment: list{replicas()}},
	} {
		if _, err := placePartitions(topic, refused, []int32{1, 2, 3}, nil); !errors.Is(err, kerr.InvalidReplicaAssignment) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, count := range []int32{2, 0, 1 << 30} {
		if _, err := placePartitions(topic, kmsg.CreatePartitionsRequestTopic{Count: count}, []int32{1, 2, 3}, nil); !errors.Is(err, kerr.InvalidPartitions) {
			t.Errorf("%d partitions: %v", count, err)
		}
	}
}

func TestManualAssignments(t *testing.T) {
	type one = kmsg.CreateTopicsRequestTopicReplicaAssignment
	live := []int32{1, 2, 3}
	got, err := manualAssignment([]one{{Partition: 1, Replicas: []int32{2, 3}}, {Partition: 0, Replicas: []int32{1, 2}}}, live)
	if err != nil || fmt.Sprint(got) != "[[1 2] [2 3]]" {
		t.Errorf("%v %v", got, err)
	}
	for name, given := range map[string][]one{
		"a gap":            {{Partition: 0, Replicas: []int32{1}}, {Partition: 2, Replicas: []int32{1}}},
		"twice":            {{Partition: 0, Replicas: []int32{1}}, {Partition: 0, Replicas: []int32{1}}},
		"negative":         {{Partition: -1, Replicas: []int32{1}}},
		"uneven":           {{Partition: 0, Replicas: []int32{1}}, {Partition: 1, Replicas: []int32{1, 2}}},
		"no replicas":      {{Partition: 0}},
		"unknown broker":   {{Partition: 0, Replicas: []int32{4}}},
		"one broker twice": {{Partition: 0, Replicas: []int32{2, 2}}},
	} {
		if _, err := manualAssignment(given, live); !errors.Is(err, kerr.InvalidReplicaAssignment) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTopicNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"orders": true, "a.b_c-D9": true, strings.Repeat("x", 249): true, "...": true,
		"": false, ".": false, "..": false, "a b": false, "ä": false, "a/b": false, strings.Repeat("x", 250): false,
	} {
		if err := checkTopicName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestIncrementsOfConfigs(t *testing.T) {
	b, orders := &Broker{settings: &settings.Settings{}}, entity{kmsg.ConfigResourceTypeTopic, "orders"}
	b.live.Store(&b.settings.Values)
	type change = kmsg.IncrementalAlterConfigsRequestResourceConfig
	text := func(s string) *string { return &s }
	now := map[string]string{"cleanup.policy": "delete", "retention.ms": "5"}
	got, err := b.increment(orders, now, []change{
		{Name: "cleanup.policy", Op: kmsg.IncrementalAlterConfigOpAppend, Value: text("compact,delete")},
		{Name: "retention.ms", Op: kmsg.IncrementalAlterConfigOpDelete},
		{Name: "segment.ms", Op: kmsg.IncrementalAlterConfigOpSet, Value: text("9")},
	})
	if err != nil || fmt.Sprint(got) != "map[cleanup.policy:delete,compact segment.ms:9]" || len(now) != 2 {
		t.Errorf("%v %v, before %v", got, err, now)
	}
	got, err = b.increment(orders, now, []change{{Name: "cleanup.policy", Op: kmsg.IncrementalAlterConfigOpSubtract, Value: text("delete")}})
	if err != nil || got["cleanup.policy"] != "" {
		t.Errorf("%v %v", got, err)
	}
	for name, changes := range map[string][]change{
		"append to a number": {{Name: "retention.ms", Op: kmsg.IncrementalAlterConfigOpAppend, Value: text("1")}},
		"set to nothing":     {{Name: "retention.ms", Op: kmsg.IncrementalAlterConfigOpSet}},
		"twice":              {{Name: "retention.ms", Op: kmsg.IncrementalAlterConfigOpDelete}, {Name: "retention.ms", Op: kmsg.IncrementalAlterConfigOpDelete}},
	} {
		if got, err := b.increment(orders, now, changes); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestIDsNeverStartWithADash(t *testing.T) {
	seen := map[string]bool{}
	for range 2000 {
		text := encodeID(randomID())
		if len(text) != 22 || text[0] == '-' || seen[text] {
			t.Fatalf("id %q", text)
		}
		seen[text] = true
	}
}
