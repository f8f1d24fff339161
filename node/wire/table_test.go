package wire

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// golden reads the table that a Kafka 3.9 broker in ZooKeeper mode was seen to advertise.
func golden(t *testing.T) map[int16]API {
	t.Helper()
	data, err := os.ReadFile("testdata/kafka-3.9-zkBroker-apis.txt")
	if err != nil {
		t.Fatal(err)
	}
	table := map[int16]API{}
	for line := range strings.Lines(string(data)) {
		var key, low, high int16
		var name string
		if n, _ := fmt.Sscanf(line, "%d %s %d-%d", &key, &name, &low, &high); n == 4 {
			table[key] = API{key, low, high}
		} else if n, _ := fmt.Sscanf(line, "%d %s %d ", &key, &name, &low); n == 3 {
			table[key] = API{key, low, low}
		}
	}
	return table
}

func TestTheTableIsKafka39s(t *testing.T) {
	want := golden(t)
	got := Versions(func(int16) bool { return true })
	if len(got) != len(want) || len(got) < 60 {
		t.Errorf("%d APIs, the recording has %d", len(got), len(want))
	}
	for _, a := range got {
		if want[a.Key] != a {
			t.Errorf("%s: %v, the recording has %v", kmsg.NameForKey(a.Key), a, want[a.Key])
		}
	}
}

func TestKmsgKnowsEveryAdvertisedVersion(t *testing.T) {
	for _, a := range Versions(func(int16) bool { return true }) {
		request := kmsg.RequestForKey(a.Key)
		if request == nil || request.MaxVersion() < a.Max {
			t.Errorf("API %d: kmsg cannot speak version %d", a.Key, a.Max)
		}
	}
}

func TestOnlyWhatIsImplementedIsAdvertised(t *testing.T) {
	table := Versions(func(key int16) bool { return key == 3 || key == 18 })
	if len(table) != 2 || !table.Has(3, 12) || table.Has(3, 13) || table.Has(0, 0) {
		t.Errorf("table %v", table)
	}
}
