package tree

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kdrill/node/coordinator/proto"
)

// Event is what a change means to those who watch Path.
type Event struct {
	Type proto.EventType
	Path string
}

// Txn is one change of the tree: everything in it has one zxid. Either it is kept as it is or rolled back.
type Txn struct {
	Events []Event // what happened, in order

	tree *Tree
	zxid int64
	time int64 // Unix milliseconds
	who  []proto.ID
	undo []func()
}

// Begin starts a change at time (Unix milliseconds) by a client that is known as who.
func (t *Tree) Begin(zxid, time int64, who []proto.ID) *Txn {
	return &Txn{tree: t, zxid: zxid, time: time, who: who}
}

// Rollback undoes everything that the transaction did.
func (x *Txn) Rollback() {
	for _, undo := range slices.Backward(x.undo) {
		undo()
	}
	x.undo, x.Events = nil, nil
}

// save notes how to bring back what is now in a node, its children aside.
func (x *Txn) save(n *znode) {
	was := *n
	x.undo = append(x.undo, func() {
		was.children = n.children
		*n = was
	})
}

// Create adds a znode and returns its path, which differs from path if flags has FlagSequential, and its state.
func (x *Txn) Create(path string, data []byte, acl []proto.ACL, flags int32, session int64) (string, proto.Stat, proto.Code) {
	sequential := flags&proto.FlagSequential != 0
	checked := path
	if sequential {
		checked += "0" // "/a/" with a number at its end is a path
	}
	if !ValidPath(checked) || flags < 0 || flags > proto.FlagEphemeral|proto.FlagSequential || checked == "/" {
		return "", proto.Stat{}, x.badCreate(path, flags)
	}
	acl, code := x.fixACL(acl)
	if code != proto.OK {
		return "", proto.Stat{}, code
	}
	parentPath, _ := split(checked)
	parent, ok := x.tree.nodes[parentPath]
	switch {
	case !ok:
		return "", proto.Stat{}, proto.NoNode
	case !Allowed(parent.acl, proto.PermCreate, x.who):
		return "", proto.Stat{}, proto.NoAuth
	}
	if sequential {
		path = fmt.Sprintf("%s%010d", path, parent.cversion)
	}
	if x.tree.nodes[path] != nil {
		return "", proto.Stat{}, proto.NodeExists
	}
	if parent.owner != 0 {
		return "", proto.Stat{}, proto.NoChildrenForEphemerals
	}
	n := &znode{
		data: bytes.Clone(data), acl: x.tree.intern(acl),
		czxid: x.zxid, mzxid: x.zxid, pzxid: x.zxid, ctime: x.time, mtime: x.time,
	}
	if flags&proto.FlagEphemeral != 0 {
		n.owner = session
	}
	x.save(parent)
	parent.cversion++
	parent.pzxid = x.zxid
	x.tree.put(path, n)
	x.undo = append(x.undo, func() { x.tree.cut(path) })
	x.Events = append(x.Events, Event{proto.NodeCreated, path}, Event{proto.NodeChildrenChanged, parentPath})
	return path, n.stat(), proto.OK
}

func (x *Txn) badCreate(path string, flags int32) proto.Code {
	switch {
	case path == "/":
		return proto.NodeExists
	case flags >= 4 && flags <= 6: // container and TTL nodes
		return proto.Unimplemented
	}
	return proto.BadArguments
}

// Delete removes a znode without children.
func (x *Txn) Delete(path string, version int32) proto.Code {
	if !ValidPath(path) || reserved(path) {
		return proto.BadArguments
	}
	parentPath, _ := split(path)
	parent, node := x.tree.nodes[parentPath], x.tree.nodes[path]
	switch {
	case parent == nil, node == nil:
		return proto.NoNode
	case !Allowed(parent.acl, proto.PermDelete, x.who):
		return proto.NoAuth
	case version != -1 && version != node.version:
		return proto.BadVersion
	case len(node.children) > 0:
		return proto.NotEmpty
	}
	x.remove(path, node, parentPath, parent)
	return proto.OK
}

func (x *Txn) remove(path string, node *znode, parentPath string, parent *znode) {
	x.save(parent)
	parent.pzxid = x.zxid
	x.tree.cut(path)
	x.undo = append(x.undo, func() { x.tree.put(path, node) })
	x.Events = append(x.Events, Event{proto.NodeDeleted, path}, Event{proto.NodeChildrenChanged, parentPath})
}

// SetData replaces a znode's data.
func (x *Txn) SetData(path string, data []byte, version int32) (proto.Stat, proto.Code) {
	n, code := x.find(path, proto.PermWrite)
	switch {
	case code != proto.OK:
		return proto.Stat{}, code
	case version != -1 && version != n.version:
		return proto.Stat{}, proto.BadVersion
	}
	x.save(n)
	grown := int64(len(data) - len(n.data))
	x.tree.size += grown
	x.undo = append(x.undo, func() { x.tree.size -= grown })
	n.data, n.mzxid, n.mtime = bytes.Clone(data), x.zxid, x.time
	n.version++
	x.Events = append(x.Events, Event{proto.NodeDataChanged, path})
	return n.stat(), proto.OK
}

// SetACL replaces a znode's ACL.
func (x *Txn) SetACL(path string, acl []proto.ACL, version int32) (proto.Stat, proto.Code) {
	if !ValidPath(path) {
		return proto.Stat{}, proto.BadArguments
	}
	acl, code := x.fixACL(acl)
	if code != proto.OK {
		return proto.Stat{}, code
	}
	n, code := x.find(path, proto.PermAdmin)
	switch {
	case code != proto.OK:
		return proto.Stat{}, code
	case version != -1 && version != n.aversion:
		return proto.Stat{}, proto.BadVersion
	}
	x.save(n)
	n.acl = x.tree.intern(acl)
	n.aversion++
	return n.stat(), proto.OK
}

// Check fails if the znode is not there or has another version; -1 is any version.
func (x *Txn) Check(path string, version int32) proto.Code {
	n, code := x.find(path, proto.PermRead)
	switch {
	case code != proto.OK:
		return code
	case version != -1 && version != n.version:
		return proto.BadVersion
	}
	return proto.OK
}

// DropSession removes the ephemerals of a session.
func (x *Txn) DropSession(session int64) {
	for _, path := range slices.Sorted(maps.Keys(x.tree.ephemerals[session])) {
		parentPath, _ := split(path)
		x.remove(path, x.tree.nodes[path], parentPath, x.tree.nodes[parentPath])
	}
}

func (x *Txn) find(path string, perm int32) (*znode, proto.Code) {
	if !ValidPath(path) {
		return nil, proto.BadArguments
	}
	n, ok := x.tree.nodes[path]
	switch {
	case !ok:
		return nil, proto.NoNode
	case !Allowed(n.acl, perm, x.who):
		return nil, proto.NoAuth
	}
	return n, proto.OK
}

// fixACL checks an ACL and puts the client's identities in the place of the scheme "auth".
func (x *Txn) fixACL(acl []proto.ACL) ([]proto.ACL, proto.Code) {
	var fixed []proto.ACL
	for _, a := range acl {
		switch a.Scheme {
		case "world":
			if a.ID.ID != "anyone" {
				return nil, proto.InvalidACL
			}
		case "digest":
			if user, _, ok := strings.Cut(a.ID.ID, ":"); !ok || user == "" {
				return nil, proto.InvalidACL
			}
		case "ip":
			if !validIPRange(a.ID.ID) {
				return nil, proto.InvalidACL
			}
		case "auth":
			found := false
			for _, id := range x.who {
				if id.Scheme != "ip" {
					fixed = append(fixed, proto.ACL{Perms: a.Perms, ID: id})
					found = true
				}
			}
			if !found {
				return nil, proto.InvalidACL
			}
			continue
		case "sasl", "x509", "super":
		default:
			return nil, proto.InvalidACL
		}
		if !slices.Contains(fixed, a) {
			fixed = append(fixed, a)
		}
	}
	if len(fixed) == 0 {
		return nil, proto.InvalidACL
	}
	return fixed, proto.OK
}
