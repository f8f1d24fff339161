package coordinator

import (
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

func TestWatchesFireOnceForWhatTheyWatch(t *testing.T) {
	const data, children = "data", "children"
	for _, c := range []struct {
		name  string
		set   []string // watches of one client on /a
		event tree.Event
		want  int // notifications
		left  int // watches
	}{
		{"data changed", []string{data, children}, tree.Event{Type: proto.NodeDataChanged, Path: "/a"}, 1, 1},
		{"children changed", []string{data, children}, tree.Event{Type: proto.NodeChildrenChanged, Path: "/a"}, 1, 1},
		{"created", []string{data}, tree.Event{Type: proto.NodeCreated, Path: "/a"}, 1, 0},
		{"deleted, both watched", []string{data, children}, tree.Event{Type: proto.NodeDeleted, Path: "/a"}, 1, 0},
		{"deleted, children watched", []string{children}, tree.Event{Type: proto.NodeDeleted, Path: "/a"}, 1, 0},
		{"set twice", []string{data, data}, tree.Event{Type: proto.NodeDataChanged, Path: "/a"}, 1, 0},
		{"elsewhere", []string{data}, tree.Event{Type: proto.NodeDataChanged, Path: "/b"}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, client := newWatches(), &conn{}
			for _, kind := range c.set {
				if kind == data {
					w.watchData("/a", client)
				} else {
					w.watchChildren("/a", client)
				}
			}
			got := 0
			w.fire(c.event, func(*conn) { got++ })
			if _, _, left := w.count(); got != c.want || left != c.left {
				t.Errorf("%d notifications, %d watches left; want %d, %d", got, left, c.want, c.left)
			}
		})
	}
}

func TestAClientsWatchesGoWithIt(t *testing.T) {
	w, a, b := newWatches(), &conn{}, &conn{}
	w.watchData("/x", a)
	w.watchChildren("/x", a)
	w.watchData("/x", b)
	w.drop(a)
	if conns, paths, total := w.count(); conns != 1 || paths != 1 || total != 1 {
		t.Errorf("%d connections, %d paths, %d watches", conns, paths, total)
	}
	w.drop(b)
	if len(w.data.byPath) != 0 || len(w.data.byConn) != 0 || len(w.children.byPath) != 0 {
		t.Error("something is left")
	}
}

func TestAWatcherHearsOnlyOfWhatItMayRead(t *testing.T) {
	e := startEnsemble(t, 1)
	writer, watcher := dial(t, e.nodes[0].client), dial(t, e.nodes[0].client)
	writer.connect(time.Minute)
	watcher.connect(time.Minute)
	watcher.request(proto.OpAddWatch, (&proto.PathKind{Path: "/", Kind: proto.WatchRecursive}).Encode)
	writer.request(proto.OpAuth, func(e *proto.Encoder) { e.Int(0); e.String("digest"); e.Buffer([]byte("alice:secret")) })
	secret := proto.Create{Path: "/secret", ACL: []proto.ACL{{Perms: proto.PermAll, ID: proto.ID{Scheme: "auth"}}}}
	if writer.request(proto.OpCreate, secret.Encode); writer.code != proto.OK {
		t.Fatal(writer.code)
	}
	writer.request(proto.OpDelete, (&proto.PathVersion{Path: "/secret", Version: -1}).Encode)
	writer.create("/open", 0)
	d := proto.NewDecoder(watcher.receive())
	if xid := d.Int(); xid != proto.XidNotification {
		t.Fatalf("xid %d", xid)
	}
	d.Long()
	d.Int()
	if kind, _, path := proto.EventType(d.Int()), d.Int(), d.String(); kind != proto.NodeCreated || path != "/open" {
		t.Errorf("heard of %d %s", kind, path)
	}
}

func TestWatchesThatStayHearOfTheirKind(t *testing.T) {
	for name, c := range map[string]struct {
		mode  int32
		on    string
		event tree.Event
		want  int
	}{
		"persistent, data":         {proto.WatchPersistent, "/a", tree.Event{Type: proto.NodeDataChanged, Path: "/a"}, 2},
		"persistent, children":     {proto.WatchPersistent, "/a", tree.Event{Type: proto.NodeChildrenChanged, Path: "/a"}, 2},
		"persistent, below":        {proto.WatchPersistent, "/a", tree.Event{Type: proto.NodeDataChanged, Path: "/a/b"}, 0},
		"recursive, at its path":   {proto.WatchRecursive, "/a", tree.Event{Type: proto.NodeDeleted, Path: "/a"}, 2},
		"recursive, deep below":    {proto.WatchRecursive, "/a", tree.Event{Type: proto.NodeCreated, Path: "/a/b/c"}, 2},
		"recursive, a similar one": {proto.WatchRecursive, "/a", tree.Event{Type: proto.NodeCreated, Path: "/ab"}, 0},
		"recursive, children":      {proto.WatchRecursive, "/a", tree.Event{Type: proto.NodeChildrenChanged, Path: "/a"}, 0},
		"recursive, root":          {proto.WatchRecursive, "/", tree.Event{Type: proto.NodeCreated, Path: "/a/b"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w, client, got := newWatches(), &conn{}, 0
			w.add(c.on, c.mode, client)
			for range 2 {
				w.fire(c.event, func(*conn) { got++ })
			}
			if got != c.want || !w.remove(c.on, proto.WatchedAny, client) || w.has(c.on, proto.WatchedAny, client) {
				t.Errorf("heard %d times, want %d", got, c.want)
			}
		})
	}
}
