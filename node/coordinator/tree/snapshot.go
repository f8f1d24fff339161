package tree

import (
	"bytes"
	"fmt"

	"kdrill/node/coordinator/proto"
)

// Frozen is a tree as it was at one time. Any goroutine may encode it while the tree goes on.
type Frozen struct{ nodes *nodes }

// Freeze takes no longer for a large tree than for a small one: what changes afterwards is copied then.
func (t *Tree) Freeze() Frozen { return Frozen{t.nodes.Copy()} }

// Encode appends the whole tree, parents before children:
//
//	int32 count | count x (path, data, acl, czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner)
func (f Frozen) Encode(e *proto.Encoder) {
	e.Int(int32(f.nodes.Len()))
	f.nodes.Scan(func(path string, n *znode) bool { // a parent's path sorts before its children's
		e.String(path)
		e.Buffer(n.data)
		proto.EncodeACL(e, n.acl.list)
		for _, v := range []int64{n.czxid, n.mzxid, n.pzxid, n.ctime, n.mtime} {
			e.Long(v)
		}
		e.Int(n.version)
		e.Int(n.cversion)
		e.Int(n.aversion)
		e.Long(n.owner)
		e.Pass()
		return true
	})
}

// Decode reads what Encode wrote.
func Decode(d *proto.Decoder) (*Tree, error) {
	t := empty()
	var parentPath string
	var parent *znode // nobody else knows it yet, so it may change
	for range d.Int() {
		path := d.String()
		n := &znode{data: bytes.Clone(d.Buffer()), acl: t.intern(proto.DecodeACL(d))}
		n.czxid, n.mzxid, n.pzxid, n.ctime, n.mtime = d.Long(), d.Long(), d.Long(), d.Long(), d.Long()
		n.version, n.cversion, n.aversion, n.owner = d.Int(), d.Int(), d.Int(), d.Long()
		if d.Err() != nil {
			return nil, d.Err()
		}
		if !ValidPath(path) {
			return nil, fmt.Errorf("znode %q: not a path", path)
		}
		if path != "/" {
			if above, _ := split(path); above != parentPath {
				parentPath, parent = above, t.get(above)
			}
			if parent == nil {
				return nil, fmt.Errorf("znode %s has no parent", path)
			}
			parent.children++
		}
		if t.set(path, n) != nil {
			return nil, fmt.Errorf("znode %s is there twice", path)
		}
	}
	if d.Err() == nil && t.get("/") == nil {
		return nil, fmt.Errorf("no root znode")
	}
	return t, d.Err()
}
