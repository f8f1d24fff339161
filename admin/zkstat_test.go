package admin

import (
	"strings"
	"testing"
)

// apache38 is what Debian's Apache ZooKeeper 3.8.0 answers to srvr.
const apache38 = `Zookeeper version: 3.8.0-${mvngit.commit.id}, built on 2024-12-29 17:54 UTC
Latency min/avg/max: 0/0.5/12
Received: 6
Sent: 5
Connections: 4
Outstanding: 1
Zxid: 0x100000000
Mode: leader
Node count: 5
Proposal sizes last/min/max: -1/-1/-1
`

func TestAnswersToSrvrOfEveryVersion(t *testing.T) {
	c, err := parseServer(apache38)
	if want := (Coordinator{Role: "leader", Version: "3.8.0", Zxid: 1 << 32, Connections: 4, Outstanding: 1, Znodes: 5, LatencyAvg: 0.5}); err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	old := strings.NewReplacer("3.8.0-${mvngit.commit.id}, built on 2024-12-29 17:54 UTC", "3.4.13-2d71af4dbe22557fda74f9a9b4309b15a7487f03, built on 06/29/2018 00:39 GMT", "0/0.5/12", "0/1/9", "Mode: leader", "Mode: standalone").Replace(apache38)
	if c, err := parseServer(old); err != nil || c.Version != "3.4.13" || c.LatencyAvg != 1 || c.Role != "standalone" {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"This ZooKeeper instance is not currently serving requests\n": "does not serve: it has no quorum",
		"srvr is not executed because it is not in the whitelist.\n":  "does not allow srvr: add it to 4lw.commands.whitelist",
		"": "does not serve: it has no quorum",
	} {
		if _, err := parseServer(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseServer(f *testing.F) {
	f.Add(apache38)
	f.Add("Mode: ")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseServer(text)
		if err == nil && !strings.Contains(text, "Mode: ") {
			t.Errorf("%+v serves without a mode", c)
		}
	})
}

func FuzzAssigned(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 1, 'x', 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := assigned(data); len(data) == 0 && got != nil {
			t.Errorf("%v of nothing", got)
		}
	})
}
