package layout

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// recorded reads the znodes that a real cluster was seen to keep: path to data.
func recorded(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open("../../testdata/kafka/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	znodes := map[string]string{}
	for scan := bufio.NewScanner(f); scan.Scan(); {
		fields := strings.SplitN(scan.Text(), " ", 4) // path, E or -, version, 'data'
		if len(fields) == 4 {
			znodes[fields[0]] = strings.Trim(fields[3], "'")
		}
	}
	if len(znodes) < 20 {
		t.Fatalf("%s holds only %d znodes", file, len(znodes))
	}
	return znodes
}

func decoded[T any](t *testing.T, znodes map[string]string, path string) T {
	t.Helper()
	data, ok := znodes[path]
	if !ok {
		t.Fatalf("no znode %s", path)
	}
	value, err := Decode[T](path, []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestWhatRealClustersWroteIsUnderstood(t *testing.T) {
	for file, want := range map[string]struct {
		broker     int32
		endpoint   string
		controller int32
		replicas   []int32
	}{
		"znodes-2.4.1.txt":   {1, "PLAINTEXT://127.0.0.1:29091", 2, []int32{3, 2, 1}},
		"znodes-0.9.0.1.txt": {0, "PLAINTEXT://127.0.0.1:19090", 0, []int32{2, 0, 1}},
	} {
		t.Run(file, func(t *testing.T) {
			znodes := recorded(t, file)
			broker := decoded[BrokerRegistration](t, znodes, Broker(want.broker))
			if !slices.Equal(broker.Endpoints, []string{want.endpoint}) || broker.Host != "127.0.0.1" {
				t.Errorf("broker = %+v", broker)
			}
			if at, ok := Time(broker.Timestamp); !ok || at.Year() != 2026 {
				t.Errorf("timestamp %s = %s", broker.Timestamp, at)
			}
			if got := decoded[ControllerRegistration](t, znodes, Controller).BrokerID; got != want.controller {
				t.Errorf("controller = %d", got)
			}
			topic := decoded[TopicAssignment](t, znodes, Topic("t1"))
			if !slices.Equal(topic.IDs(), []int32{0, 1, 2}) || !slices.Equal(topic.Replicas(0), want.replicas) {
				t.Errorf("topic = %+v", topic)
			}
			state := decoded[PartitionState](t, znodes, State("t1", 0))
			if state.Leader != want.replicas[0] || !slices.Equal(state.ISR, want.replicas) || state.ControllerEpoch != 1 {
				t.Errorf("state = %+v", state)
			}
		})
	}
}

// TestPathsAreThoseOfRealClusters holds the names against the recording.
func TestPathsAreThoseOfRealClusters(t *testing.T) {
	znodes := recorded(t, "znodes-2.4.1.txt")
	for _, path := range []string{
		ClusterID, Controller, ControllerEpoch, Broker(3), BrokerSeqID, Topic("t1"), Partitions("t1"), Partition("t1", 2),
		State("t1", 2), EntityConfig("topics", "t1"), ConfigChangePrefix + "0000000000", DeleteTopics, ProducerIDBlock,
		ISRChangeNotification, LogDirEvents,
	} {
		if _, ok := znodes[path]; !ok {
			t.Errorf("a real cluster has no %s", path)
		}
	}
}

// TestWhatWeWriteHasTheFieldsOfKafka compares keys, since their order carries no meaning.
func TestWhatWeWriteHasTheFieldsOfKafka(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"controller": {
			NewControllerRegistration(2, time.UnixMilli(1795198672411)),
			`{"version":2,"brokerid":2,"timestamp":"1795198672411","kraftControllerEpoch":-1}`,
		},
		"topic": {
			NewTopicAssignment("bm90IGEgcmVhbCB1dWlkIQ", [][]int32{{3, 2, 1}}),
			`{"version":3,"topic_id":"bm90IGEgcmVhbCB1dWlkIQ","partitions":{"0":[3,2,1]},"adding_replicas":{},"removing_replicas":{}}`,
		},
		"state": {
			PartitionState{Version: 1, Leader: 3, ControllerEpoch: 1, ISR: []int32{3, 2, 1}},
			`{"controller_epoch":1,"leader":3,"version":1,"leader_epoch":0,"isr":[3,2,1]}`,
		},
		"state while recovering": {
			PartitionState{Version: 1, Leader: 3, ControllerEpoch: 1, ISR: []int32{3}, LeaderRecoveryState: 1},
			`{"controller_epoch":1,"leader":3,"version":1,"leader_epoch":0,"isr":[3],"leader_recovery_state":1}`,
		},
		"cluster id": {ClusterIdentity{"1", "a92pitikTIGH4knMxsjVSg"}, `{"version":"1","id":"a92pitikTIGH4knMxsjVSg"}`},
	} {
		t.Run(name, func(t *testing.T) {
			var got, want any
			if err := json.Unmarshal(Encode(c.value), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			g, _ := json.Marshal(got)
			w, _ := json.Marshal(want)
			if string(g) != string(w) {
				t.Errorf("got  %s\nwant %s", g, w)
			}
		})
	}
}

func TestStatePathsParseBack(t *testing.T) {
	topic, partition, err := ParseState(State("orders", 12))
	if topic != "orders" || partition != 12 || err != nil {
		t.Errorf("got %s %d %v", topic, partition, err)
	}
	for _, wrong := range []string{"", "/brokers/topics/orders", "/brokers/topics/orders/partitions/x/state", "/brokers/topics/o/partitions/-1/state"} {
		if _, _, err := ParseState(wrong); err == nil {
			t.Errorf("%q was taken for a state path", wrong)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":3,"partitions":{"0":[3,2,1]},"adding_replicas":{}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if a, err := Decode[TopicAssignment]("/fuzz", data); err == nil {
			_ = a.IDs()
		}
		_, _ = Decode[PartitionState]("/fuzz", data)
		_, _ = Decode[BrokerRegistration]("/fuzz", data)
	})
}
