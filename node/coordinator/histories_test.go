package coordinator

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/go-zookeeper/zk"
)

const (
	historyClients   = 5
	historyRegisters = 3 // a phase
)

// call is one operation on a register: a read, a write, or a write of one version only.
type call struct {
	register string
	value    string // "" reads
	version  int32  // that a write expects, -1 for any
}

// outcome is what a client heard; unknown if it heard nothing and the write may have happened or not, or may yet.
type outcome struct {
	value   string
	version int32
	refused bool
	unknown bool
}

// register is a znode's data and version.
type register struct {
	value   string
	version int32
}

var registerModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[string][]porcupine.Operation{}
		for _, op := range history {
			name := op.Input.(call).register
			parts[name] = append(parts[name], op)
		}
		var list [][]porcupine.Operation
		for _, part := range parts {
			list = append(list, part)
		}
		return list
	},
	Init: func() any { return register{} },
	Step: func(state, input, output any) (bool, any) {
		r, c, o := state.(register), input.(call), output.(outcome)
		if c.value == "" {
			return o.value == r.value && o.version == r.version, r
		}
		next := register{c.value, r.version + 1}
		mismatch := c.version != -1 && c.version != r.version
		switch {
		case o.unknown && mismatch:
			return true, r
		case o.unknown:
			return true, next
		case o.refused:
			return mismatch, r
		}
		return !mismatch && o.version == next.version, next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v %+v", input, output) },
}

// history is what the clients of one run did and heard.
type history struct {
	begun time.Time
	phase atomic.Int64 // each has registers of its own, so that few unknown outcomes meet in one

	mu      sync.Mutex
	ops     []porcupine.Operation
	created []string // acknowledged
	expired int
}

func (h *history) add(client int, c call, o outcome, start time.Duration) {
	end := time.Since(h.begun)
	if o.unknown {
		end = 1 << 62
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: c, Output: o, Call: int64(start), Return: int64(end)})
}

// live is one client: it reads, writes and creates until stop is closed.
func (h *history) live(id int, c *zk.Conn, stop <-chan struct{}) {
	r := rand.New(rand.NewPCG(uint64(id), uint64(h.begun.UnixNano())))
	known := map[string]int32{}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(2+r.IntN(15)) * time.Millisecond):
		}
		name := fmt.Sprintf("/r/%d-%d", h.phase.Load(), r.IntN(historyRegisters))
		value := fmt.Sprintf("%d-%d", id, n)
		start := time.Since(h.begun)
		switch r.IntN(5) {
		case 0: // an acknowledged znode is there at the end
			path := fmt.Sprintf("/made/%s", value)
			if _, err := c.Create(path, nil, 0, anyone); err == nil {
				h.mu.Lock()
				h.created = append(h.created, path)
				h.mu.Unlock()
			}
		case 1, 2: // sync makes a read as good as one at the leader
			if _, err := c.Sync(name); err != nil {
				continue
			}
			if data, stat, err := c.Get(name); err == nil {
				known[name] = stat.Version
				h.add(id, call{register: name}, outcome{value: string(data), version: stat.Version}, start)
			}
		default:
			in := call{register: name, value: value, version: -1}
			if version, ok := known[name]; ok && r.IntN(2) == 0 {
				in.version = version
			}
			stat, err := c.Set(name, []byte(value), in.version)
			switch {
			case err == nil:
				known[name] = stat.Version
				h.add(id, in, outcome{version: stat.Version}, start)
			case errors.Is(err, zk.ErrBadVersion):
				delete(known, name)
				h.add(id, in, outcome{refused: true}, start)
			case errors.Is(err, zk.ErrNoServer): // it was never sent
			default:
				h.add(id, in, outcome{unknown: true}, start)
			}
		}
	}
}

// havoc does one fault to an ensemble, waits and mends it.
type havoc struct {
	*ensemble
	links map[int]map[int]*link
	r     *rand.Rand
}

func (v *havoc) strike() string {
	i := v.r.IntN(len(v.nodes))
	if v.r.IntN(2) == 0 {
		for j, p := range v.nodes {
			if p.mode() == "leader" {
				i = j
			}
		}
	}
	p := v.nodes[i]
	hold := time.Duration(100+v.r.IntN(900)) * time.Millisecond
	switch v.r.IntN(9) {
	case 0, 1:
		p.kill()
		<-time.After(hold)
		p.start()
		return fmt.Sprintf("kill -9 of %d", p.id)
	case 2:
		for _, p := range v.nodes {
			p.kill()
		}
		for _, p := range v.nodes {
			p.start()
		}
		return "kill -9 of all"
	case 3:
		p.signal(syscall.SIGSTOP)
		<-time.After(hold)
		p.signal(syscall.SIGCONT)
		return fmt.Sprintf("SIGSTOP of %d", p.id)
	case 4:
		var around []*link
		for j := range v.nodes {
			if j != i {
				around = append(around, v.links[i][j], v.links[j][i])
			}
		}
		v.cut(around, hold)
		return fmt.Sprintf("%d cut off", p.id)
	case 5:
		j := (i + 1 + v.r.IntN(len(v.nodes)-1)) % len(v.nodes)
		v.cut([]*link{v.links[i][j], v.links[j][i]}, hold)
		return fmt.Sprintf("link of %d and %d cut", p.id, v.nodes[j].id)
	case 6:
		return v.fillDisk(p)
	case 7:
		return v.loseTail(p)
	}
	p.kill()
	tear(v.t, p)
	p.start()
	return fmt.Sprintf("torn log of %d", p.id)
}

// cut cuts links for a while; in half of all cases their connections end too.
func (v *havoc) cut(links []*link, hold time.Duration) {
	drop := v.r.IntN(2) == 0
	for _, k := range links {
		k.setCut(true)
	}
	<-time.After(hold)
	for _, k := range links {
		if drop {
			k.drop()
		}
		k.setCut(false)
	}
}

// fillDisk lets a node run without space for its log: it stops at its first write.
func (v *havoc) fillDisk(p *process) string {
	p.kill()
	p.start("COORDINATOR_FILE_LIMIT=4096")
	eventually(v.t, "a node without space stops", p.ended)
	if !strings.Contains(p.log.String(), "write-ahead log") {
		v.t.Errorf("node %d does not say why it stops:\n%s", p.id, p.log)
	}
	p.start()
	return fmt.Sprintf("full disk of %d", p.id)
}

// loseTail takes from a node what it has acknowledged last, once the others have it too: more than a majority can lose
// nobody promises. If the node knows that it had more, it says what to do, and that is done.
func (v *havoc) loseTail(p *process) string {
	p.kill()
	for _, other := range v.nodes {
		if other != p {
			v.catchUp(other)
		}
	}
	logs, err := filepath.Glob(filepath.Join(p.dir, folder, "log-*"))
	if err != nil || len(logs) == 0 {
		v.t.Fatal(logs, err)
	}
	last := logs[len(logs)-1]
	b, err := os.ReadFile(last)
	if err != nil {
		v.t.Fatal(err)
	}
	content := len(bytes.TrimRight(b, "\x00"))
	if err := os.Truncate(last, int64(content/2+v.r.IntN(content/2+1))); err != nil {
		v.t.Fatal(err)
	}
	p.start()
	how := "lost log tail"
	eventually(v.t, "a node without its log's tail serves, or says why not", func() bool { return p.ended() || p.mode() != "" })
	if p.ended() {
		if !strings.Contains(p.log.String(), "empty the folder so that the node copies everything") {
			v.t.Fatalf("node %d:\n%s", p.id, p.log)
		}
		if err := os.RemoveAll(filepath.Join(p.dir, folder)); err != nil {
			v.t.Fatal(err)
		}
		p.start()
		how = "lost log"
	}
	v.catchUp(p)
	return fmt.Sprintf("%s of %d", how, p.id)
}

// catchUp waits until a node has all that was acknowledged when it began.
func (v *havoc) catchUp(p *process) {
	v.t.Helper()
	eventually(v.t, fmt.Sprintf("node %d catches up", p.id), func() bool {
		c, _, err := zk.Connect([]string{p.client}, 10*time.Second, zk.WithLogger(silent{}))
		if err != nil {
			v.t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Sync("/")
		return err == nil
	})
}

// tear puts half a frame behind what a node has written last.
func tear(t testing.TB, p *process) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(p.dir, folder, "log-*"))
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	last := logs[len(logs)-1]
	b, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	torn := []byte{0, 0, 1, 0, 1, 2, 3, 4, 5}
	end := len(bytes.TrimRight(b, "\x00")) + 64 // a frame may end with zeros
	if end+len(torn) <= len(b) {
		copy(b[end:], torn)
		writeFile(t, last, string(b))
	}
}

// Clients read and write while nodes are killed, stopped, cut off, their logs torn or shortened and their disks full: what they heard is a
// linearizable history, every acknowledged znode is there at the end, and no session has expired.
// COORDINATOR_FAULTS=200 makes it long.
func TestHistoriesUnderFaultsAreLinearizable(t *testing.T) {
	faults := 8
	if n, err := strconv.Atoi(os.Getenv("COORDINATOR_FAULTS")); err == nil {
		faults = n
	} else if testing.Short() {
		t.Skip("takes ten seconds")
	}
	e, links := newLinkedEnsemble(t, 3, "maxSessionTimeout=60000", "snapCount=500")
	for _, p := range e.nodes {
		p.start()
	}
	e.leader()
	h := &history{begun: time.Now()}
	setup, _ := client(t, 30*time.Second, e.addresses()...)
	must[string](t)(setup.Create("/made", nil, 0, anyone))
	must[string](t)(setup.Create("/r", nil, 0, anyone))
	for phase := range faults + 1 {
		for i := range historyRegisters {
			must[string](t)(setup.Create(fmt.Sprintf("/r/%d-%d", phase, i), nil, 0, anyone))
		}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for id := range historyClients {
		c, events := client(t, 30*time.Second, e.addresses()...)
		go func() {
			for event := range events {
				if event.State == zk.StateExpired {
					h.mu.Lock()
					h.expired++
					h.mu.Unlock()
				}
			}
		}()
		wg.Go(func() { h.live(id, c, stop) })
	}
	v := &havoc{e, links, rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))}
	for n := range faults {
		what := v.strike()
		h.phase.Add(1)
		e.leader()
		t.Logf("%v fault %d: %s", time.Since(h.begun).Round(time.Millisecond), n+1, what)
	}
	for _, p := range e.nodes {
		p.serving()
	}
	<-time.After(200 * time.Millisecond)
	close(stop)
	wg.Wait()
	var names []string
	eventually(t, "all that was made is listed", func() bool { // its connection may be the last that ends
		_, err := setup.Sync("/")
		if err == nil {
			names, _, err = setup.Children("/made")
		}
		return err == nil
	})
	there := map[string]bool{}
	for _, name := range names {
		there["/made/"+name] = true
	}
	for _, path := range h.created {
		if !there[path] {
			t.Errorf("%s was acknowledged and is lost", path)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.expired > 0 {
		t.Errorf("%d sessions expired", h.expired)
	}
	unknown := 0
	for _, op := range h.ops {
		if op.Output.(outcome).unknown {
			unknown++
		}
	}
	result := porcupine.CheckOperationsTimeout(registerModel, h.ops, 2*time.Minute)
	t.Logf("%d operations, %d of unknown outcome, %d znodes created: %s", len(h.ops), unknown, len(h.created), result)
	if result != porcupine.Ok {
		t.Errorf("history is not linearizable: %s", result)
	}
}
