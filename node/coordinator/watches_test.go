package coordinator

import (
	"testing"

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
