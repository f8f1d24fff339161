package coordinator

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// link carries the connections that one node opens to another, until it is cut.
type link struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	changed sync.Cond
	cut     bool
	conns   map[net.Conn]struct{}
}

func newLink(t testing.TB, target string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{listener: l, target: target, conns: map[net.Conn]struct{}{}}
	k.changed.L = &k.mu
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go k.carry(in)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		k.drop()
		k.setCut(false)
	})
	return k
}

func (k *link) carry(in net.Conn) {
	defer in.Close()
	k.pass()
	out, err := net.Dial("tcp", k.target)
	if err != nil {
		return
	}
	defer out.Close()
	k.mu.Lock()
	k.conns[in], k.conns[out] = struct{}{}, struct{}{}
	k.mu.Unlock()
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{in: out, out: in} {
		both.Go(func() {
			defer in.Close()
			defer out.Close()
			b := make([]byte, 32<<10)
			for {
				n, err := from.Read(b)
				if err != nil {
					return
				}
				k.pass()
				if _, err := to.Write(b[:n]); err != nil {
					return
				}
			}
		})
	}
	both.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, in)
	delete(k.conns, out)
}

// pass waits until the link is whole.
func (k *link) pass() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.cut {
		k.changed.Wait()
	}
}

func (k *link) setCut(cut bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = cut
	k.changed.Broadcast()
}

// drop ends the connections of a link.
func (k *link) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.conns {
		c.Close()
	}
}

// newLinkedEnsemble is an ensemble whose nodes reach each other over links: links[i][j] is what i opens to j.
func newLinkedEnsemble(t testing.TB, size int, settings ...string) (*ensemble, map[int]map[int]*link) {
	e := newEnsemble(t, size, settings...)
	links := map[int]map[int]*link{}
	for i, p := range e.nodes {
		path := filepath.Join(p.dir, "zoo.cfg")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		links[i] = map[int]*link{}
		var lines []string
		for line := range strings.Lines(string(b)) {
			var id, quorum, election int
			if _, err := fmt.Sscanf(line, "server.%d=127.0.0.1:%d:%d", &id, &quorum, &election); err == nil && id != p.id {
				k := newLink(t, fmt.Sprintf("127.0.0.1:%d", quorum))
				links[i][id-1] = k
				line = fmt.Sprintf("server.%d=%s:%d\n", id, k.listener.Addr(), election)
			}
			lines = append(lines, line)
		}
		writeFile(t, path, strings.Join(lines, ""))
	}
	return e, links
}
