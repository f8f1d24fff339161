package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kdrill/testdata/freeport"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/node/layout"
)

// testChroot runs a cluster of one broker below a chroot of the same coordinators.
func (c *testCluster) testChroot(t *testing.T) {
	port := freeport.One(t)
	path := filepath.Join(t.TempDir(), "server.properties")
	text := fmt.Sprintf("broker.id=1\nlisteners=PLAINTEXT://127.0.0.1:%d\nlog.dirs=%s\nzookeeper.connect=%s/kafka/one\nzookeeper.session.timeout.ms=2000\n",
		port, t.TempDir(), c.zookeeper)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, path, new(bytes.Buffer)) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	client := c.client(t, kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", port)))
	c.eventually("a topic is made below the chroot", func() bool {
		answer, err := kadm.NewClient(client).CreateTopic(t.Context(), 2, 1, nil, "rooted")
		return err == nil && answer.Err == nil || errors.Is(err, kerr.TopicAlreadyExists) // by an earlier try
	})
	produce(t, client, "rooted", 0, 20)

	plain, _, err := zk.Connect([]string{c.coordinators[0].addr}, 2*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := plain.Sync("/kafka"); err != nil { // it may know less than the coordinator that the broker writes to
		t.Fatal(err)
	}
	for _, znode := range []string{layout.Broker(1), layout.Controller, layout.ClusterID, layout.State("rooted", 1)} {
		if there, _, err := plain.Exists("/kafka/one" + znode); err != nil || !there {
			t.Errorf("/kafka/one%s: %v %v", znode, there, err)
		}
	}
	if there, _, err := plain.Exists(layout.Topic("rooted")); err != nil || there {
		t.Errorf("the topic is outside the chroot, too: %v", err)
	}
}

// frameOf builds a frame from numbers (int32), text (a string with its length) and raw bytes.
func frameOf(fields ...any) []byte {
	payload := fieldsOf(fields...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}

func fieldsOf(fields ...any) (b []byte) {
	for _, f := range fields {
		switch f := f.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(int32(f)))
		case string:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(f))), f...)
		case []byte:
			b = append(b, f...)
		}
	}
	return b
}

func TestAChrootIsAddedAndTakenOff(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	c := newChrooted(near, "/k")
	exchange := func(name string, written, arrives, sent, read []byte) {
		t.Helper()
		var writes sync.WaitGroup
		writes.Go(func() {
			half := len(written) / 2 // a frame may come in pieces
			_, _ = c.Write(written[:half])
			_, _ = c.Write(written[half:])
		})
		got := make([]byte, len(arrives))
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, arrives) {
			t.Errorf("%s: request arrives as %q, want %q: %v", name, got, arrives, err)
		}
		writes.Go(func() { _, _ = far.Write(sent) })
		got = make([]byte, len(read))
		if n, err := c.Read(got); err != nil || !bytes.Equal(got[:n], read) {
			t.Errorf("%s: reply is read as %q, want %q: %v", name, got[:n], read, err)
		}
		writes.Wait()
	}
	zxid := make([]byte, 8)
	more, last := []byte{0}, []byte{1}
	stat := make([]byte, 68)
	exchange("session", frameOf("/not a path"), frameOf("/not a path"), frameOf("/k/x"), frameOf("/k/x"))
	exchange("create", frameOf(1, opCreate, "/a", "data"), frameOf(1, opCreate, "/k/a", "data"),
		frameOf(1, zxid, 0, "/k/a"), frameOf(1, zxid, 0, "/a"))
	exchange("refused create", frameOf(2, opCreate, "/a", "data"), frameOf(2, opCreate, "/k/a", "data"),
		frameOf(2, zxid, -110), frameOf(2, zxid, -110))
	exchange("children of the root", frameOf(3, 12, "/", last), frameOf(3, 12, "/k", last),
		frameOf(3, zxid, 0, 1, "/k/odd name"), frameOf(3, zxid, 0, 1, "/k/odd name"))
	exchange("watches again", frameOf(-8, opSetWatches, zxid, 1, "/a", 0, 2, "/b", "/"), frameOf(-8, opSetWatches, zxid, 1, "/k/a", 0, 2, "/k/b", "/k"),
		frameOf(-1, zxid, 0, 4, 3, "/k/b"), frameOf(-1, zxid, 0, 4, 3, "/b"))
	exchange("multi",
		frameOf(4, opMulti, opCreate, more, -1, "/a", "d", 1, 31, "world", "anyone", 0, 5, more, -1, "/b", "e", 7, 13, more, -1, "/c", 2, -1, last, -1),
		frameOf(4, opMulti, opCreate, more, -1, "/k/a", "d", 1, 31, "world", "anyone", 0, 5, more, -1, "/k/b", "e", 7, 13, more, -1, "/k/c", 2, -1, last, -1),
		frameOf(4, zxid, 0, opCreate, more, 0, "/k/a", 5, more, 0, stat, 13, more, 0, -1, more, -2, -2, -1, last, -1),
		frameOf(4, zxid, 0, opCreate, more, 0, "/a", 5, more, 0, stat, 13, more, 0, -1, more, -2, -2, -1, last, -1))
	if got := c.strip("/kafka"); got != "/kafka" {
		t.Errorf("a path that only starts alike becomes %s", got)
	}
}

func FuzzChroot(f *testing.F) {
	f.Add(fieldsOf(1, opCreate, "/a", "data"), fieldsOf(1, make([]byte, 8), 0, "/k/a"))
	f.Add(fieldsOf(1, opMulti, opCreate, []byte{0}, -1, "/a", "d", 1, 31, "world", "anyone", 0, -1, []byte{1}, -1), fieldsOf(1, make([]byte, 8), 0, opCreate, []byte{0}, 0, "/k/a"))
	f.Fuzz(func(_ *testing.T, request, reply []byte) {
		c := newChrooted(nil, "/k")
		_, _ = c.request(request) // must return
		_, _ = c.reply(reply)
	})
}
