package broker

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kdrill/testdata/need"
)

// kcat runs kcat against all brokers.
func (c *testCluster) kcat(t *testing.T, input string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	command := exec.CommandContext(ctx, need.Program(t, "kcat", "kcat"), append([]string{"-b", strings.Join(c.seeds(), ",")}, args...)...)
	var out, errText bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &errText
	if err := command.Run(); err != nil {
		t.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, errText.String())
	}
	return out.String()
}

func (c *testCluster) testKcat(t *testing.T) {
	c.eventually("-L lists three brokers and a topic", func() bool {
		out := c.kcat(t, "", "-L")
		return strings.Contains(out, "3 brokers") && strings.Contains(out, `topic "first" with 3 partitions`)
	})
	c.create(t, "by-kcat", 2, nil)
	c.kcat(t, "a:1\nb:2\nc:3\n", "-P", "-t", "by-kcat", "-K:", "-z", "gzip", "-X", "acks=all")
	if out := c.kcat(t, "", "-C", "-t", "by-kcat", "-e", "-K:", "-o", "beginning"); len(strings.Fields(out)) != 3 || !strings.Contains(out, "b:2") {
		t.Errorf("-C:\n%s", out)
	}
	if out := c.kcat(t, "", "-G", "kcats", "-c", "3", "-X", "auto.offset.reset=earliest", "by-kcat"); len(strings.Fields(out)) != 3 {
		t.Errorf("-G:\n%s", out)
	}
	if out := c.kcat(t, "", "-Q", "-t", "by-kcat:0:-1", "-t", "by-kcat:1:-1"); strings.Count(out, "offset") != 2 {
		t.Errorf("-Q:\n%s", out)
	}
}

func (c *testCluster) testMalformedFrame(t *testing.T) {
	for _, bytes := range []string{"\x7f\xff\xff\xff", "GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x0a\x00\x03\x00\x63\x00\x00\x00\x01\xff\xff"} {
		conn, err := net.Dial("tcp", c.brokers[1].addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(bytes)); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(ample)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
			t.Errorf("%q: the connection stays open", bytes)
		}
	}
	produce(t, c.client(t), "first", 1000, 1010)
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// testOldKcat speaks as clients of Kafka 0.9 and 0.10 do, whose messages have formats 0 and 1.
func (c *testCluster) testOldKcat(t *testing.T) {
	c.create(t, "old-formats", 1, nil)
	n := 0
	for _, version := range []string{"0.9.0.1", "0.10.2.0"} {
		old := []string{"-t", "old-formats", "-X", "api.version.request=false", "-X", "broker.version.fallback=" + version}
		for _, codec := range []string{"none", "gzip", "snappy", "lz4"} {
			c.kcat(t, "k:"+version+" "+codec+"\nk:again "+codec+"\n", append(old, "-P", "-K:", "-z", codec)...)
			n += 2
		}
		out := c.kcat(t, "", append(old, "-C", "-e", "-o", "beginning", "-K:")...)
		if strings.Count(out, "k:") != n || !strings.Contains(out, "k:"+version+" lz4\n") || !strings.Contains(out, "k:again snappy\n") {
			t.Errorf("as %s:\n%s", version, out)
		}
	}
	if out := c.kcat(t, "", "-C", "-t", "old-formats", "-e", "-o", "beginning", "-K:"); strings.Count(out, "k:") != n {
		t.Errorf("as today's clients do:\n%s", out)
	}
}
