package coordinator

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

// watches are those of the clients that are connected here. Those on data also wait for a znode that is not there yet.
// Watches on data and on children fire once; a persistent one stays and hears of both; a recursive one stays and hears
// of every znode at and below its path, but not of lists of children.
type watches struct {
	mu         sync.Mutex // readers set watches side by side
	data       watchers
	children   watchers
	persistent watchers
	recursive  watchers
}

// watchers are connections by path, and the same the other way round.
type watchers struct {
	byPath map[string]map[*conn]struct{}
	byConn map[*conn]map[string]struct{}
}

func newWatches() *watches {
	return &watches{data: newWatchers(), children: newWatchers(), persistent: newWatchers(), recursive: newWatchers()}
}

func (w *watches) all() []*watchers {
	return []*watchers{&w.data, &w.children, &w.persistent, &w.recursive}
}

func newWatchers() watchers {
	return watchers{map[string]map[*conn]struct{}{}, map[*conn]map[string]struct{}{}}
}

func (w *watchers) add(path string, c *conn) {
	if w.byPath[path] == nil {
		w.byPath[path] = map[*conn]struct{}{}
	}
	w.byPath[path][c] = struct{}{}
	if w.byConn[c] == nil {
		w.byConn[c] = map[string]struct{}{}
	}
	w.byConn[c][path] = struct{}{}
}

func (w *watchers) remove(path string, c *conn) {
	if delete(w.byPath[path], c); len(w.byPath[path]) == 0 {
		delete(w.byPath, path)
	}
	if delete(w.byConn[c], path); len(w.byConn[c]) == 0 {
		delete(w.byConn, c)
	}
}

// take removes all watches on a path and returns whose they were.
func (w *watchers) take(path string) map[*conn]struct{} {
	conns := maps.Clone(w.byPath[path])
	for c := range conns {
		w.remove(path, c)
	}
	return conns
}

// watchData sets a watch on a znode's data, existence included.
func (w *watches) watchData(path string, c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.data.add(path, c)
}

// watchChildren sets a watch on the names of a znode's children.
func (w *watches) watchChildren(path string, c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.children.add(path, c)
}

// fire ends the watches that an event concerns. A client that watches both data and children of a znode hears of its
// deletion once.
func (w *watches) fire(e tree.Event, notify func(*conn)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := map[*conn]struct{}{}
	tell := func(conns map[*conn]struct{}) {
		for c := range conns {
			if _, ok := told[c]; !ok {
				told[c] = struct{}{}
				notify(c)
			}
		}
	}
	if e.Type != proto.NodeChildrenChanged {
		tell(w.data.take(e.Path))
	}
	if e.Type == proto.NodeChildrenChanged || e.Type == proto.NodeDeleted {
		tell(w.children.take(e.Path))
	}
	tell(w.persistent.byPath[e.Path])
	if e.Type != proto.NodeChildrenChanged && len(w.recursive.byPath) > 0 {
		for path := e.Path; path != ""; path = parent(path) {
			tell(w.recursive.byPath[path])
		}
	}
}

// parent is the path of a znode's parent, "" for the root.
func parent(path string) string {
	cut := strings.LastIndexByte(path, '/')
	if cut == 0 && path != "/" {
		return "/"
	}
	return path[:cut]
}

// add sets a watch that stays; false if mode is not one.
func (w *watches) add(path string, mode int32, c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch mode {
	case proto.WatchPersistent:
		w.persistent.add(path, c)
	case proto.WatchRecursive:
		w.recursive.add(path, c)
	default:
		return false
	}
	return true
}

// of returns where watches of a kind are kept; nil if there is no such kind.
func (w *watches) of(kind int32) []*watchers {
	switch kind {
	case proto.WatchedChildren:
		return []*watchers{&w.children}
	case proto.WatchedData:
		return []*watchers{&w.data}
	case proto.WatchedAny:
		return w.all()
	case proto.WatchedPersistent:
		return []*watchers{&w.persistent}
	case proto.WatchedRecursive:
		return []*watchers{&w.recursive}
	}
	return nil
}

// has says whether a client has a watch of a kind on a path.
func (w *watches) has(path string, kind int32, c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, from := range w.of(kind) {
		if _, ok := from.byPath[path][c]; ok {
			return true
		}
	}
	return false
}

// remove ends a client's watches of a kind on a path; false if it has none.
func (w *watches) remove(path string, kind int32, c *conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := false
	for _, from := range w.of(kind) {
		if _, ok := from.byPath[path][c]; ok {
			from.remove(path, c)
			found = true
		}
	}
	return found
}

// drop forgets the watches of a connection that has ended.
func (w *watches) drop(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, from := range w.all() {
		for path := range from.byConn[c] {
			from.remove(path, c)
		}
	}
}

// count returns connections that watch, paths that are watched and watches in all.
func (w *watches) count() (conns, paths, total int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, watched := map[*conn]struct{}{}, map[string]struct{}{}
	for _, from := range w.all() {
		for c, list := range from.byConn {
			seen[c] = struct{}{}
			total += len(list)
		}
		for path := range from.byPath {
			watched[path] = struct{}{}
		}
	}
	return len(seen), len(watched), total
}

// paths returns the paths that each session watches, sorted.
func (w *watches) paths() map[int64][]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := map[int64][]string{}
	for _, from := range w.all() {
		for c, paths := range from.byConn {
			id := c.session.Load()
			for path := range paths {
				if !slices.Contains(list[id], path) {
					list[id] = append(list[id], path)
				}
			}
		}
	}
	for _, paths := range list {
		slices.Sort(paths)
	}
	return list
}

// sessions is paths the other way round.
func (w *watches) sessions() map[string][]int64 {
	list := map[string][]int64{}
	for id, paths := range w.paths() {
		for _, path := range paths {
			list[path] = append(list[path], id)
		}
	}
	for _, ids := range list {
		slices.Sort(ids)
	}
	return list
}
