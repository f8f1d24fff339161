package broker

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// missingAPIs are those that a Kafka 3.9 broker in ZooKeeper mode advertises and this one does not, with why nobody misses
// them.
var missingAPIs = map[int16]string{
	58: "Envelope: brokers send it to the controller of a cluster without ZooKeeper, or one that leaves ZooKeeper, with a client's request inside",
}

// testAPIs compares what a broker says it serves with the recording of Kafka's.
func (c *testCluster) testAPIs(t *testing.T) {
	data, err := os.ReadFile("../wire/testdata/kafka-3.9-zkBroker-apis.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[int16]string{}
	for line := range strings.Lines(string(data)) {
		var key int16
		var name, versions string
		if n, _ := fmt.Sscan(line, &key, &name, &versions); n == 3 {
			low, high, ok := strings.Cut(versions, "-")
			if !ok {
				high = low
			}
			want[key] = low + " to " + high
		}
	}
	ask := kmsg.NewPtrApiVersionsRequest()
	ask.Version = 3
	got := map[int16]string{}
	for _, api := range c.ask(t, 1, ask).(*kmsg.ApiVersionsResponse).ApiKeys {
		got[api.ApiKey] = fmt.Sprintf("%d to %d", api.MinVersion, api.MaxVersion)
	}
	if len(want) < 60 {
		t.Fatalf("the recording has %d APIs", len(want))
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		switch reason, missing := missingAPIs[key], got[key] == ""; {
		case missing && reason != "":
			t.Logf("not served: %s", reason)
		case missing != (reason != ""):
			t.Errorf("%s (%d): served %v, though it says %q", kmsg.NameForKey(key), key, !missing, reason)
		case got[key] != want[key]:
			t.Errorf("%s (%d): versions %s, Kafka's are %s", kmsg.NameForKey(key), key, got[key], want[key])
		}
		delete(got, key)
	}
	for key := range got {
		t.Errorf("%s (%d) is served, which Kafka does not", kmsg.NameForKey(key), key)
	}
}
