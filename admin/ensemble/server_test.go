package ensemble

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
	c, err := ParseServer(apache38)
	want := unknown()
	want.Role, want.Version, want.Zxid, want.Connections, want.Outstanding, want.Znodes = "leader", "3.8.0", 1<<32, 4, 1, 5
	want.Received, want.Sent, want.LatencyMin, want.LatencyAvg, want.LatencyMax = 6, 5, 0, 0.5, 12
	if err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	old := strings.NewReplacer("3.8.0-${mvngit.commit.id}, built on 2024-12-29 17:54 UTC", "3.4.13-2d71af4dbe22557fda74f9a9b4309b15a7487f03, built on 06/29/2018 00:39 GMT", "0/0.5/12", "0/1/9", "Mode: leader", "Mode: standalone").Replace(apache38)
	if c, err := ParseServer(old); err != nil || c.Version != "3.4.13" || c.LatencyAvg != 1 || c.Role != "standalone" {
		t.Errorf("%+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"": "does not serve: it has no quorum",
	} {
		if _, err := ParseServer(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseServer(f *testing.F) {
	f.Add(apache38)
	f.Add("Mode: ")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseServer(text)
		if err == nil && !strings.Contains(text, "Mode: ") {
			t.Errorf("%+v serves without a mode", c)
		}
	})
}
