package tree

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"kdrill/node/coordinator/proto"
)

// Encode appends the whole tree, parents before children:
//
//	int32 count | count x (path, data, acl, czxid, mzxid, pzxid, ctime, mtime, version, cversion, aversion, owner)
func (t *Tree) Encode(e *proto.Encoder) {
	e.Int(int32(len(t.nodes)))
	for _, path := range slices.Sorted(maps.Keys(t.nodes)) { // a parent's path sorts before its children's
		n := t.nodes[path]
		e.String(path)
		e.Buffer(n.data)
		proto.EncodeACL(e, n.acl)
		for _, v := range []int64{n.czxid, n.mzxid, n.pzxid, n.ctime, n.mtime} {
			e.Long(v)
		}
		e.Int(n.version)
		e.Int(n.cversion)
		e.Int(n.aversion)
		e.Long(n.owner)
	}
}

// Decode reads what Encode wrote.
func Decode(d *proto.Decoder) (*Tree, error) {
	t := empty()
	for range d.Count(60) {
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
			if parent, _ := split(path); t.nodes[parent] == nil {
				return nil, fmt.Errorf("znode %s has no parent", path)
			}
		}
		if t.nodes[path] != nil {
			return nil, fmt.Errorf("znode %s is there twice", path)
		}
		t.put(path, n)
	}
	if d.Err() == nil && t.nodes["/"] == nil {
		return nil, fmt.Errorf("no root znode")
	}
	return t, d.Err()
}
