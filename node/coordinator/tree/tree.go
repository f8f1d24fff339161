package tree

import (
	"maps"
	"slices"
	"strings"

	"kdrill/node/coordinator/proto"
)

// znode is one node. Its cversion counts creates only; clients see 2*cversion - children, see stat.
type znode struct {
	data     []byte // nil and empty differ on the wire
	acl      []proto.ACL
	czxid    int64
	mzxid    int64
	pzxid    int64
	ctime    int64
	mtime    int64
	version  int32
	cversion int32
	aversion int32
	owner    int64               // see kindOf
	children map[string]struct{} // names; nil until the first child
}

func (n *znode) stat() proto.Stat {
	children := int32(len(n.children))
	owner := n.owner
	if kindOf(owner) != ephemeral {
		owner = 0
	}
	return proto.Stat{
		Czxid: n.czxid, Mzxid: n.mzxid, Pzxid: n.pzxid, Ctime: n.ctime, Mtime: n.mtime,
		Version: n.version, Cversion: 2*n.cversion - children, Aversion: n.aversion,
		EphemeralOwner: owner, DataLength: int32(len(n.data)), NumChildren: children,
	}
}

// Tree holds all znodes by path.
type Tree struct {
	nodes      map[string]*znode
	ephemerals map[int64]map[string]struct{} // paths by session
	reapable   map[string]struct{}           // containers and znodes with a time to live
	quotas     map[string]struct{}           // paths below which znodes and bytes are counted
	size       int64                         // bytes of paths and data
	anyone     []proto.ACL                   // the ACL of nearly every znode, once
}

func empty() *Tree {
	return &Tree{
		nodes: map[string]*znode{}, ephemerals: map[int64]map[string]struct{}{}, anyone: proto.Anyone(),
		reapable: map[string]struct{}{}, quotas: map[string]struct{}{},
	}
}

func (t *Tree) intern(acl []proto.ACL) []proto.ACL {
	if slices.Equal(acl, t.anyone) {
		return t.anyone
	}
	return acl
}

// ConfigPath is the znode that holds the members of the ensemble.
const ConfigPath = "/zookeeper/config"

// New makes the tree that a fresh ensemble has; config is the data of /zookeeper/config.
func New(config []byte) *Tree {
	t := empty()
	for _, path := range []string{"/", "/zookeeper", ConfigPath, "/zookeeper/quota"} {
		n := &znode{acl: t.anyone, data: []byte{}}
		if path == ConfigPath {
			n.data, n.aversion = config, -1
			n.acl = []proto.ACL{{Perms: proto.PermRead, ID: proto.ID{Scheme: "world", ID: "anyone"}}}
		}
		t.put(path, n)
	}
	return t
}

// put adds a node and links it to its parent, without touching the parent's versions.
func (t *Tree) put(path string, n *znode) {
	t.nodes[path] = n
	t.size += int64(len(path) + len(n.data))
	if path != "/" {
		parent, name := split(path)
		p := t.nodes[parent]
		if p.children == nil {
			p.children = map[string]struct{}{}
		}
		p.children[name] = struct{}{}
	}
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

// cut is the inverse of put.
func (t *Tree) cut(path string) {
	n := t.nodes[path]
	delete(t.nodes, path)
	t.size -= int64(len(path) + len(n.data))
	parent, name := split(path)
	delete(t.nodes[parent].children, name)
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
	n, ok := t.nodes[path]
	if !ok {
		return proto.Stat{}, false
	}
	return n.stat(), true
}

// Data returns a znode's data, which the caller must not change, and its state.
func (t *Tree) Data(path string) ([]byte, proto.Stat, bool) {
	n, ok := t.nodes[path]
	if !ok {
		return nil, proto.Stat{}, false
	}
	return n.data, n.stat(), true
}

// ACL returns a znode's ACL and its state.
func (t *Tree) ACL(path string) ([]proto.ACL, proto.Stat, bool) {
	n, ok := t.nodes[path]
	if !ok {
		return nil, proto.Stat{}, false
	}
	return n.acl, n.stat(), true
}

// Children returns the names of a znode's children, sorted, and its state.
func (t *Tree) Children(path string) ([]string, proto.Stat, bool) {
	n, ok := t.nodes[path]
	if !ok {
		return nil, proto.Stat{}, false
	}
	return slices.Sorted(maps.Keys(n.children)), n.stat(), true
}

// Descendants counts the znodes below path.
func (t *Tree) Descendants(path string) int {
	prefix, n := strings.TrimSuffix(path, "/")+"/", 0
	for p := range t.nodes {
		if p != path && strings.HasPrefix(p, prefix) {
			n++
		}
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
func (t *Tree) Len() int { return len(t.nodes) }

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
