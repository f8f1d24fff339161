package cluster

import (
	"bytes"
	"io"
	"os"
	"testing"
)

// canned answers whatever it is asked with the same bytes.
type canned struct {
	io.Reader
	asked bytes.Buffer
}

func (c *canned) Write(p []byte) (int, error) { return c.asked.Write(p) }

func TestACoordinatorServesOnceItHasAMode(t *testing.T) {
	for answer, want := range map[string]string{
		"Zookeeper version: 3.8\nMode: leader\nNode count: 5\n":         "leader",
		"Zookeeper version: 3.8\r\nMode: follower\r\nNode count: 5\r\n": "follower",
		"This ZooKeeper instance is not currently serving requests\n":   "",
		"": "",
	} {
		conn := &canned{Reader: bytes.NewReader([]byte(answer))}
		mode, err := askMode(conn)
		if mode != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", answer, mode, err)
		}
		if conn.asked.String() != "srvr" {
			t.Errorf("asked %q", conn.asked.String())
		}
	}
}

func TestABrokerServesOnceItAnswersApiVersions(t *testing.T) {
	good := []byte{0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	conn := &canned{Reader: bytes.NewReader(good)}
	if err := askVersions(conn); err != nil {
		t.Error(err)
	}
	want := "\x00\x00\x00\x10\x00\x12\x00\x00\x00\x00\x00\x01\x00\x06kdrill"
	if conn.asked.String() != want {
		t.Errorf("asked %q", conn.asked.String())
	}
	for name, answer := range map[string][]byte{
		"nothing":        nil,
		"cut short":      good[:9],
		"other request":  {0, 0, 0, 10, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0},
		"an error":       {0, 0, 0, 10, 0, 0, 0, 1, 0, 35, 0, 0, 0, 0},
		"another server": []byte("HTTP/1.1 400 Bad Request"),
	} {
		if err := askVersions(&canned{Reader: bytes.NewReader(answer)}); err == nil {
			t.Errorf("%s: taken for an answer", name)
		}
	}
}

func TestABrokerServesOnceItKnowsWhoIsThere(t *testing.T) {
	one := []byte{0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}
	conn := &canned{Reader: bytes.NewReader(one)}
	if err := askMembers(conn); err != nil {
		t.Error(err)
	}
	want := "\x00\x00\x00\x15\x00\x03\x00\x07\x00\x00\x00\x01\x00\x06kdrill\x00\x00\x00\x00\x00"
	if conn.asked.String() != want {
		t.Errorf("asked %q", conn.asked.String())
	}
	for name, answer := range map[string][]byte{
		"cut short": one[:15],
		"alone":     {0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"null":      {0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 255, 255, 255, 255},
	} {
		if err := askMembers(&canned{Reader: bytes.NewReader(answer)}); err == nil {
			t.Errorf("%s: taken for a member", name)
		}
	}
}

func FuzzProbes(f *testing.F) {
	f.Add([]byte("Mode: leader\n"))
	f.Add([]byte{0, 0, 0, 10, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, answer []byte) {
		mode, err := askMode(&canned{Reader: bytes.NewReader(answer)})
		if err == nil && !bytes.Contains(answer, []byte(mode)) {
			t.Errorf("mode %q of %q", mode, answer)
		}
		if err := askVersions(&canned{Reader: bytes.NewReader(answer)}); err == nil && len(answer) < 10 {
			t.Errorf("%q is taken for an answer", answer)
		}
		if err := askMembers(&canned{Reader: bytes.NewReader(answer)}); err == nil && len(answer) < 16 {
			t.Errorf("%q is taken for a member's answer", answer)
		}
	})
}

func FuzzReadSpec(f *testing.F) {
	f.Add([]byte("name: trial\nengine: embedded\ntiming: brisk\nrestart: \"no\"\nnodes:\n  - {name: broker-1, role: broker, id: 1, port: 0}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir() + "/trial"
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+specFile, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := readSpec(dir); err == nil && s.Check() != nil {
			t.Errorf("accepted: %+v", s)
		}
	})
}
