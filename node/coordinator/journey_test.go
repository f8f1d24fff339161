package coordinator

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

var anyone = zk.WorldACL(zk.PermAll)

func TestClientsCreateListSetWatchAndDelete(t *testing.T) {
	e := startEnsemble(t, 3)
	a, _ := client(t, 30*time.Second, e.nodes[0].client)
	b, _ := client(t, 30*time.Second, e.nodes[1].client)

	must[string](t)(a.Create("/app", []byte("one"), 0, anyone))
	must[string](t)(b.Sync("/app"))
	data, stat, changed, err := b.GetW("/app")
	if err != nil || string(data) != "one" || stat.Version != 0 {
		t.Fatalf("get: %q %+v %v", data, stat, err)
	}
	_, _, grown, err := b.ChildrenW("/app")
	if err != nil {
		t.Fatal(err)
	}
	stat = must[*zk.Stat](t)(a.Set("/app", []byte("two"), 0))
	if stat.Version != 1 {
		t.Errorf("version after a set: %d", stat.Version)
	}
	if ev := <-changed; ev.Type != zk.EventNodeDataChanged || ev.Path != "/app" {
		t.Errorf("event: %+v", ev)
	}
	if _, err := a.Set("/app", nil, 0); !errors.Is(err, zk.ErrBadVersion) {
		t.Errorf("set with an old version: %v", err)
	}
	for i := range 3 {
		path := must[string](t)(a.Create("/app/seq-", nil, zk.FlagSequence, anyone))
		if want := fmt.Sprintf("/app/seq-%010d", i); path != want {
			t.Errorf("sequential: %s, want %s", path, want)
		}
	}
	if ev := <-grown; ev.Type != zk.EventNodeChildrenChanged {
		t.Errorf("event: %+v", ev)
	}
	names, stat, err := a.Children("/app")
	if slices.Sort(names); err != nil || len(names) != 3 || names[2] != "seq-0000000002" || stat.Cversion != 3 {
		t.Errorf("children: %v %+v %v", names, stat, err)
	}
	if err := a.Delete("/app", -1); !errors.Is(err, zk.ErrNotEmpty) {
		t.Errorf("delete of a parent: %v", err)
	}
	for _, name := range names {
		if err := a.Delete("/app/"+name, 0); err != nil {
			t.Error(err)
		}
	}
	if err := a.Delete("/app", 1); err != nil {
		t.Error(err)
	}
	if found, _, err := a.Exists("/app"); found || err != nil {
		t.Errorf("after delete: %v %v", found, err)
	}
}

func TestSessionsOutliveTheLeader(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	const timeout = 10 * time.Second
	type owner struct {
		conn   *zk.Conn
		events <-chan zk.Event
		path   string
		id     int64
	}
	var owners []owner
	for i := range e.nodes {
		servers := slices.Concat(e.addresses()[i:], e.addresses()[:i])
		c, events := client(t, timeout, servers...)
		path := must[string](t)(c.Create(fmt.Sprintf("/owner-%d", i), nil, zk.FlagEphemeral, anyone))
		owners = append(owners, owner{c, events, path, c.SessionID()})
	}
	leader := e.leader()
	killed := time.Now()
	leader.kill()
	e.leader()
	t.Logf("new leader %v after the kill", time.Since(killed).Round(time.Millisecond))
	for i, o := range owners {
		eventually(t, fmt.Sprintf("owner %d writes again", i), func() bool {
			_, err := o.conn.Set(o.path, []byte("alive"), -1)
			return err == nil
		})
		t.Logf("owner %d writes %v after the kill", i, time.Since(killed).Round(time.Millisecond))
		if o.conn.SessionID() != o.id {
			t.Errorf("owner %d has another session", i)
		}
	}
	// Longer than a timeout: nobody's session may end on the new leader either.
	<-time.After(timeout + time.Second)
	watcher, _ := client(t, timeout, e.leader().client)
	for _, o := range owners {
		if found, stat, err := watcher.Exists(o.path); err != nil || !found || stat.EphemeralOwner != o.id {
			t.Errorf("%s: %v %+v %v", o.path, found, stat, err)
		}
	}
}

func TestWritesOfAFollowersClientAreNotLostWhenTheLeaderDies(t *testing.T) {
	e := startEnsemble(t, 3)
	follower := e.follower()
	c, events := client(t, 30*time.Second, follower.client)
	must[string](t)(c.Create("/log", nil, 0, anyone))
	const writes = 400
	errs := make(chan error, 1)
	go func() {
		for i := range writes {
			path, err := c.Create("/log/n-", nil, zk.FlagSequence, anyone)
			if want := fmt.Sprintf("/log/n-%010d", i); err == nil && path != want {
				err = fmt.Errorf("%s instead of %s", path, want)
			}
			if err != nil {
				errs <- fmt.Errorf("write %d: %w", i, err)
				return
			}
			if i == writes/4 {
				e.leaderExcept(follower).kill()
			}
		}
		errs <- nil
	}()
	if err := <-errs; err != nil {
		t.Error(err)
	}
	select {
	case ev := <-events:
		t.Errorf("the client noticed: %+v", ev)
	default:
	}
}

func (e *ensemble) leaderExcept(other *process) *process {
	var found *process
	eventually(e.t, "another node leads", func() bool { found = e.leader(); return found != other })
	return found
}

func TestAnEphemeralGoesWithItsSessionNotWithItsConnection(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	watcher, _ := client(t, 30*time.Second, e.nodes[2].client)
	const timeout = 4 * time.Second // time enough to look, on any machine
	raw := dial(t, e.nodes[0].client)
	answer := raw.connect(timeout)
	silent := time.Now() // its last sign of life comes after this
	raw.create("/vanishing", 1)
	raw.Close()

	must[string](t)(watcher.Sync("/"))
	found, _, gone, err := watcher.ExistsW("/vanishing")
	if err != nil || !found {
		t.Fatalf("right after the connection ended: %v %v", found, err)
	}
	select {
	case ev := <-gone:
		took := time.Since(silent)
		if ev.Type != zk.EventNodeDeleted || took < timeout {
			t.Errorf("%v after %v, the timeout is %v", ev.Type, took, timeout)
		}
		t.Logf("gone %v after the last sign of life, timeout %v", took.Round(time.Millisecond), timeout)
	case <-time.After(time.Minute):
		t.Error("the ephemeral outlived its session")
	}
	again := dial(t, e.nodes[1].client)
	if r := again.reconnect(answer, 0); r.TimeoutMs != 0 || r.Session != 0 {
		t.Errorf("an expired session was taken back: %+v", r)
	}
}

func TestASessionMovesToAnotherNode(t *testing.T) {
	e := startEnsemble(t, 3)
	first := dial(t, e.nodes[0].client)
	session := first.connect(time.Minute)
	first.create("/mine", 1)

	wrong := *session
	wrong.Password = make([]byte, 16)
	if r := dial(t, e.nodes[1].client).reconnect(&wrong, 0); r.TimeoutMs != 0 {
		t.Errorf("a wrong password was accepted: %+v", r)
	}
	second := dial(t, e.nodes[1].client)
	if r := second.reconnect(session, 0); r.Session != session.Session || r.TimeoutMs != session.TimeoutMs {
		t.Fatalf("not taken back: %+v", r)
	}
	first.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := first.Read(make([]byte, 1)); !strings.Contains(fmt.Sprint(err), "EOF") {
		t.Errorf("the older connection: %v", err)
	}
	second.create("/mine/child", 0) // refused: a child of an ephemeral
	if second.code != -108 {
		t.Errorf("a child of an ephemeral: %d", second.code)
	}
}

func TestAClientThatHasSeenMoreIsRefused(t *testing.T) {
	e := startEnsemble(t, 1)
	ahead := dial(t, e.nodes[0].client)
	ahead.send(connectRequest(4*time.Second, 0, make([]byte, 16), 1<<40))
	ahead.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := ahead.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("it was answered")
	}
}

func TestWatchesSetOnAnotherNodeTellWhatWasMissed(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	c, events := client(t, 12*time.Second, e.addresses()...) // a third is left when the client gives the node up
	at := slices.IndexFunc(e.nodes, func(p *process) bool { return p.client == c.Server() })
	other, _ := client(t, 30*time.Second, e.nodes[(at+1)%3].client)
	for _, path := range []string{"/changed", "/deleted", "/grown", "/same"} {
		must[string](t)(c.Create(path, nil, 0, anyone))
	}
	watches := map[string]<-chan zk.Event{}
	for _, path := range []string{"/changed", "/deleted", "/same"} {
		_, _, ch, err := c.GetW(path)
		if watches[path] = ch; err != nil {
			t.Fatal(err)
		}
	}
	_, _, ch, err := c.ChildrenW("/grown")
	if watches["/grown"] = ch; err != nil {
		t.Fatal(err)
	}
	_, _, ch, err = c.ExistsW("/created")
	if watches["/created"] = ch; err != nil {
		t.Fatal(err)
	}
	e.nodes[at].signal(syscall.SIGSTOP) // its client notices when no answer comes
	must[*zk.Stat](t)(other.Set("/changed", []byte("x"), -1))
	if err := other.Delete("/deleted", -1); err != nil {
		t.Fatal(err)
	}
	must[string](t)(other.Create("/grown/child", nil, 0, anyone))
	must[string](t)(other.Create("/created", nil, 0, anyone))
	waitFor(t, events, zk.StateDisconnected)
	waitFor(t, events, zk.StateHasSession)
	for path, want := range map[string]zk.EventType{
		"/changed": zk.EventNodeDataChanged, "/deleted": zk.EventNodeDeleted,
		"/grown": zk.EventNodeChildrenChanged, "/created": zk.EventNodeCreated,
	} {
		select {
		case ev := <-watches[path]:
			if ev.Type != want {
				t.Errorf("%s: %v, want %v", path, ev.Type, want)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: no event", path)
		}
	}
	select {
	case ev := <-watches["/same"]:
		t.Errorf("/same: %v", ev)
	default:
	}
	must[*zk.Stat](t)(other.Set("/same", nil, -1))
	if ev := <-watches["/same"]; ev.Type != zk.EventNodeDataChanged {
		t.Errorf("/same: %v", ev)
	}
}

func TestAMinorityServesNobody(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	last := e.leader()
	_, events := client(t, 4*time.Second, last.client)
	for _, p := range e.nodes {
		if p != last {
			p.kill()
		}
	}
	waitFor(t, events, zk.StateDisconnected)
	eventually(t, "the node says so", func() bool { return strings.Contains(last.word("srvr"), "not currently serving") })
	if got := last.word("ruok"); got != "imok" {
		t.Errorf("ruok: %q", got)
	}
	refused := dial(t, last.client)
	refused.send(connectRequest(4*time.Second, 0, make([]byte, 16), 0))
	refused.SetReadDeadline(time.Now().Add(time.Minute))
	if n, _ := refused.Read(make([]byte, 1)); n != 0 {
		t.Error("a client was accepted")
	}
	for _, p := range e.nodes {
		if p != last {
			p.start()
			break
		}
	}
	waitFor(t, events, zk.StateHasSession)
}

func TestEverythingIsThereAfterAllNodesRestart(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "stopped": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := startEnsemble(t, 3, "snapCount=40")
			c, events := client(t, 30*time.Second, e.addresses()...)
			session := c.SessionID()
			for i := range 150 {
				must[string](t)(c.Create(fmt.Sprintf("/n%d", i), []byte{byte(i)}, 0, anyone))
			}
			must[string](t)(c.Create("/ephemeral", nil, zk.FlagEphemeral, anyone))
			for _, p := range e.nodes {
				p.signal(sig)
			}
			waitFor(t, events, zk.StateDisconnected)
			for _, p := range e.nodes {
				p.start()
			}
			waitFor(t, events, zk.StateHasSession)
			for i := range 150 {
				if data, _, err := c.Get(fmt.Sprintf("/n%d", i)); err != nil || data[0] != byte(i) {
					t.Fatalf("/n%d: %v %v", i, data, err)
				}
			}
			if found, stat, err := c.Exists("/ephemeral"); !found || err != nil || stat.EphemeralOwner != session {
				t.Errorf("ephemeral: %v %+v %v", found, stat, err)
			}
		})
	}
}

func TestAFollowerThatMissedTooMuchGetsASnapshot(t *testing.T) {
	e := startEnsemble(t, 3, "snapCount=50")
	late := e.follower()
	late.kill()
	c, _ := client(t, 30*time.Second, e.leader().client)
	for i := range 400 {
		must[string](t)(c.Create(fmt.Sprintf("/n%d", i), nil, 0, anyone))
	}
	catchesUp := func(t *testing.T) {
		late.start()
		late.serving()
		there, _ := client(t, 30*time.Second, late.client)
		if found, _, err := there.Exists("/n399"); !found || err != nil {
			t.Errorf("/n399: %v %v", found, err)
		}
	}
	t.Run("with an old log", catchesUp)
	late.kill()
	if err := os.RemoveAll(filepath.Join(late.dir, folder)); err != nil {
		t.Fatal(err)
	}
	t.Run("with no log", catchesUp)
	logs, err := filepath.Glob(filepath.Join(e.leader().dir, folder, "*"))
	if err != nil || len(logs) > 12 {
		t.Errorf("files of the leader: %v %v", logs, err)
	}
}

func TestAStoppedLeaderIsReplacedBeforeItsSuccessorServes(t *testing.T) {
	e := startEnsemble(t, 3)
	leader := e.leader()
	c, events := client(t, 30*time.Second, e.follower().client)
	leader.signal(syscall.SIGTERM)
	must[string](t)(c.Create("/on", nil, 0, anyone))
	if !strings.Contains(leader.log.String(), "coordinator stopped") {
		t.Error("it did not say that it stopped")
	}
	select {
	case ev := <-events:
		t.Errorf("a follower's client noticed: %+v", ev)
	default:
	}
}

func TestALeaderThatHangsIsReplacedAndNoSessionEnds(t *testing.T) {
	e := startEnsemble(t, 3)
	leader := e.leader()
	c, events := client(t, 30*time.Second, e.follower().client)
	must[string](t)(c.Create("/mine", nil, zk.FlagEphemeral, anyone))
	leader.signal(syscall.SIGSTOP)
	stopped := time.Now()
	eventually(t, "another node leads", func() bool {
		return slices.ContainsFunc(e.nodes, func(p *process) bool { return p != leader && p.mode() == "leader" })
	})
	must[*zk.Stat](t)(c.Set("/mine", []byte("x"), -1))
	t.Logf("the next write took %v", time.Since(stopped).Round(time.Millisecond))
	leader.signal(syscall.SIGCONT)
	eventually(t, "the old leader follows", func() bool { return leader.mode() == "follower" })
	if found, stat, err := c.Exists("/mine"); !found || err != nil || stat.Version != 1 {
		t.Errorf("%v %+v %v", found, stat, err)
	}
	select {
	case ev := <-events:
		t.Errorf("the client noticed: %+v", ev)
	default:
	}
}
