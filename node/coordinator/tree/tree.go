package tree

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"kdrill/node/coordinator/proto"
)

// znode is one node. It never changes once it is in a tree, another one takes its place: so a snapshot can be
// written while the tree goes on. Its cversion counts creates only; clients see 2*cversion - children, see stat.
type znode struct {
	data     []byte // nil and empty differ on the wire
	acl      *acl
	czxid    int64
	mzxid    int64
	pzxid    int64
	ctime    int64
	mtime    int64
	version  int32
	cversion int32
	aversion int32
	children int32 // how many
	owner    int64 // see kindOf
}

// acl is an ACL that many znodes share.
type acl struct{ list []proto.ACL }

func (n *znode) stat() proto.Stat {
	owner := n.owner
	if kindOf(owner) != ephemeral {
		owner = 0
	}
	return proto.Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid, Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, Cversion: 2*n.cversion - n.children, Aversion: n.aversion,
		EphemeralOwner: owner, DataLength: int32(len(n.data)), NumChildren: n.children,
	}
}

// nodes are znodes by path, sorted: what is below a path is in one piece.
type nodes = btree.Map[string, *znode]

// Tree holds all znodes by path.
type Tree struct {
	nodes      *nodes
	ephemerals map[int64]map[string]struct{} // paths by session
	reapable   map[string]struct{}           // containers and znodes with a time to live
	quotas     map[string]struct{}           // paths below which znodes and bytes are counted
	size       int64                         // bytes of paths and data
	anyone     *acl                          // of nearly every znode
}

func empty() *Tree {
	return &Tree{
		nodes: &nodes{}, ephemerals: map[int64]map[string]struct{}{}, anyone: &acl{proto.Anyone()},
		reapable: map[string]struct{}{}, quotas: map[string]struct{}{},
	}
}

func (t *Tree) intern(list []proto.ACL) *acl {
	if slices.Equal(list, t.anyone.list) {
		return t.anyone
	}
	return &acl{list}
}

// ConfigPath is the znode that holds the members of the ensemble.
const ConfigPath = "/zookeeper/config"

// New makes the tree that a fresh ensemble has; config is the data of /zookeeper/config.
func New(config []byte) *Tree {
	t := empty()
	t.set("/", &znode{acl: t.anyone, data: []byte{}, children: 1})
	t.set("/zookeeper", &znode{acl: t.anyone, data: []byte{}, children: 2})
	t.set("/zookeeper/quota", &znode{acl: t.anyone, data: []byte{}})
	readOnly := &acl{[]proto.ACL{{Perms: proto.PermRead, ID: proto.ID{Scheme: "world", ID: "anyone"}}}}
	t.set(ConfigPath, &znode{acl: readOnly, data: config, aversion: -1})
	return t
}

// get returns a znode, nil if it is not there.
func (t *Tree) get(path string) *znode {
	n, _ := t.nodes.Get(path)
	return n
}

// set makes n the znode at path, none if it is nil, and returns what was there before. The parent is for the caller.
func (t *Tree) set(path string, n *znode) (was *znode) {
	if n != nil {
		was, _ = t.nodes.Set(path, n)
	} else {
		was, _ = t.nodes.Delete(path)
	}
	switch {
	case was != nil && n != nil:
		t.size += int64(len(n.data) - len(was.data))
	case n != nil:
		t.size += int64(len(path) + len(n.data))
		t.index(path, n)
	case was != nil:
		t.size -= int64(len(path) + len(was.data))
		t.forget(path, was)
	}
	return was
}

// index notes a new znode by what it is; forget is the inverse.
func (t *Tree) index(path string, n *znode) {
	switch kindOf(n.owner) {
	case ephemeral:
		paths := t.ephemerals[n.owner]
		if paths == nil {
			paths = map[string]struct{}{}
			t.ephemerals[n.owner] = paths
		}
		paths[path] = struct{}{}
	case container, ttl:
		t.reapable[path] = struct{}{}
	}
	if of, ok := limitedBy(path); ok {
		t.quotas[of] = struct{}{}
	}
}

func (t *Tree) forget(path string, n *znode) {
	switch kindOf(n.owner) {
	case ephemeral:
		delete(t.ephemerals[n.owner], path)
		if len(t.ephemerals[n.owner]) == 0 {
			delete(t.ephemerals, n.owner)
		}
	case container, ttl:
		delete(t.reapable, path)
	}
	if of, ok := limitedBy(path); ok {
		delete(t.quotas, of)
	}
}

// Stat returns the state of a znode.
func (t *Tree) Stat(path string) (proto.Stat, bool) {
	n := t.get(path)
	if n == nil {
		return proto.Stat{}, false
	}
	return n.stat(), true
}

// Data returns a znode's data, which the caller must not change, and its state.
func (t *Tree) Data(path string) ([]byte, proto.Stat, bool) {
	n := t.get(path)
	if n == nil {
		return nil, proto.Stat{}, false
	}
	return n.data, n.stat(), true
}

// ACL returns a znode's ACL and its state.
func (t *Tree) ACL(path string) ([]proto.ACL, proto.Stat, bool) {
	n := t.get(path)
	if n == nil {
		return nil, proto.Stat{}, false
	}
	return n.acl.list, n.stat(), true
}

// Children returns the names of a znode's children, sorted, and its state.
func (t *Tree) Children(path string) ([]string, proto.Stat, bool) {
	n := t.get(path)
	if n == nil {
		return nil, proto.Stat{}, false
	}
	names := make([]string, 0, n.children)
	prefix := strings.TrimSuffix(path, "/") + "/"
	it := t.nodes.Iter()
	for ok := n.children > 0 && it.Seek(prefix); ok && strings.HasPrefix(it.Key(), prefix); {
		name, below, deeper := strings.Cut(it.Key()[len(prefix):], "/")
		switch {
		case deeper && below != "": // all that is below this child
			ok = it.Seek(prefix + name + string('/'+1))
			continue
		case name != "": // else it is / itself
			names = append(names, name)
		}
		ok = it.Next()
	}
	return names, n.stat(), true
}

// below goes through what is below path, children and theirs.
func (t *Tree) below(path string) iter.Seq2[string, *znode] {
	prefix := strings.TrimSuffix(path, "/") + "/"
	return func(yield func(string, *znode) bool) {
		t.nodes.Ascend(prefix, func(p string, n *znode) bool {
			return p == "/" || strings.HasPrefix(p, prefix) && yield(p, n)
		})
	}
}

// Descendants counts the znodes below path.
func (t *Tree) Descendants(path string) int {
	n := 0
	for range t.below(path) {
		n++
	}
	return n
}

// Ephemerals returns the paths that belong to a session, sorted.
func (t *Tree) Ephemerals(session int64) []string {
	return slices.Sorted(maps.Keys(t.ephemerals[session]))
}

// EphemeralOwners returns the sessions that have ephemerals, sorted.
func (t *Tree) EphemeralOwners() []int64 { return slices.Sorted(maps.Keys(t.ephemerals)) }

// EphemeralCount counts ephemerals.
func (t *Tree) EphemeralCount() int {
	count := 0
	for _, paths := range t.ephemerals {
		count += len(paths)
	}
	return count
}

// Len counts znodes.
func (t *Tree) Len() int { return t.nodes.Len() }

// Size is the number of bytes in paths and data.
func (t *Tree) Size() int64 { return t.size }

// split cuts a valid path other than / into its parent and its name.
func split(path string) (parent, name string) {
	cut := strings.LastIndexByte(path, '/')
	if cut == 0 {
		return "/", path[1:]
	}
	return path[:cut], path[cut+1:]
}
