package config

import (
	"strings"
	"testing"
	"time"
)

const sample = `# a broker
broker.id=1
  log.dirs = /a , /b
! also a comment
listeners=PLAINTEXT://:9092,\
  INTERNAL://:9093
zookeeper.session.timeout.ms=2000
unclean.leader.election.enable=maybe
num.partitions=none
key\:with\:colons : value
`

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("server.properties", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestGettersReadWhatTheFileSays(t *testing.T) {
	f := parse(t, sample)
	if got := f.Int("broker.id", -1, 0, 1000); got != 1 {
		t.Errorf("broker.id = %d", got)
	}
	if got := strings.Join(f.List("log.dirs"), "|"); got != "/a|/b" {
		t.Errorf("log.dirs = %s", got)
	}
	if got := f.List("listeners"); len(got) != 2 || got[1] != "INTERNAL://:9093" {
		t.Errorf("listeners = %q", got)
	}
	if got := f.Millis("zookeeper.session.timeout.ms", 0); got != 2*time.Second {
		t.Errorf("session timeout = %s", got)
	}
	if got := f.String("key:with:colons", ""); got != "value" {
		t.Errorf("escaped key = %q", got)
	}
	if err := f.Err(); err != nil {
		t.Errorf("unexpected: %v", err)
	}
}

func TestErrorsNameFileLineAndKey(t *testing.T) {
	f := parse(t, sample+"broker.id=2\n")
	f.Bool("unclean.leader.election.enable", false)
	f.Int("num.partitions", 1, 1, 100)
	f.Require("zookeeper.connect")
	want := `server.properties:8: unclean.leader.election.enable: "maybe" is neither true nor false
server.properties:9: num.partitions: "none" is not a whole number
server.properties:11: broker.id is set again, first in line 2
server.properties: zookeeper.connect is missing`
	if got := f.Err().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestUnusedIsWhatNobodyAskedFor(t *testing.T) {
	f := parse(t, "a=1\nserver.1=x\nserver.2=y\nb=2\n")
	f.Int("a", 0, 0, 9)
	for range f.Prefixed("server.") {
	}
	if got := f.Unused(); len(got) != 1 || got[0].Key != "b" || got[0].Line != 4 {
		t.Errorf("unused = %+v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if file, err := Parse("fuzz", data); err == nil {
			_ = file.Unused()
		}
	})
}
