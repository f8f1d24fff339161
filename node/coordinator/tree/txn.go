package tree

import (
	"bytes"
	"cmp"
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
	ACL  []proto.ACL // who may read the znode hears of it
}

// Txn is one change of the tree: everything in it has one zxid. Either it is kept as it is or rolled back.
type Txn struct {
	Events  []Event // what happened, in order
	Enforce bool    // the hard limits of quotas
	Free    bool    // whatever ACLs say

	tree *Tree
	zxid int64
	time int64 // Unix milliseconds
	who  []proto.ID
	undo []before
}

// before is what was at a path, nil for nothing.
type before struct {
	path  string
	znode *znode
}

// Begin starts a change at time (Unix milliseconds) by a client that is known as who.
func (t *Tree) Begin(zxid, time int64, who []proto.ID) *Txn {
	return &Txn{tree: t, zxid: zxid, time: time, who: who}
}

// Rollback undoes everything that the transaction did.
func (x *Txn) Rollback() {
	for _, was := range slices.Backward(x.undo) {
		x.tree.set(was.path, was.znode)
	}
	x.undo, x.Events = nil, nil
}

// set makes n the znode at path, none if it is nil.
func (x *Txn) set(path string, n *znode) {
	x.undo = append(x.undo, before{path, x.tree.set(path, n)})
}

// Create adds a znode and returns its path, which differs from path if flags has FlagSequential, and its state. With
// FlagContainer it is an ordinary znode, as at Apache: containers have an operation of their own.
func (x *Txn) Create(path string, data []byte, acl []proto.ACL, flags int32, session int64) (string, proto.Stat, proto.Code) {
	switch {
	case flags < 0 || flags > proto.FlagContainer:
		return "", proto.Stat{}, proto.BadArguments
	case flags == proto.FlagContainer || flags&proto.FlagEphemeral == 0:
		session = 0
	}
	return x.create(path, data, acl, flags&proto.FlagSequential != 0, session)
}

// CreateContainer adds a znode that is deleted some time after its last child.
func (x *Txn) CreateContainer(path string, data []byte, acl []proto.ACL, flags int32) (string, proto.Stat, proto.Code) {
	if flags < 0 || flags > proto.FlagContainer {
		return "", proto.Stat{}, proto.BadArguments
	}
	return x.create(path, data, acl, flags&proto.FlagSequential != 0, containerOwner)
}

// CreateTTL adds a znode that is deleted when it has had no child and no change for so many milliseconds.
func (x *Txn) CreateTTL(path string, data []byte, acl []proto.ACL, flags int32, ms int64) (string, proto.Stat, proto.Code) {
	if flags != proto.FlagTTL && flags != proto.FlagTTLSequential || ms <= 0 || ms > ttlMax {
		return "", proto.Stat{}, proto.BadArguments
	}
	return x.create(path, data, acl, flags == proto.FlagTTLSequential, ttlMask|ms)
}

func (x *Txn) create(path string, data []byte, acl []proto.ACL, sequential bool, owner int64) (string, proto.Stat, proto.Code) {
	cut := strings.LastIndexByte(path, '/')
	if cut < 0 || strings.Contains(path, "\x00") {
		return "", proto.Stat{}, proto.BadArguments
	}
	acl, code := x.fixACL(acl)
	if code != proto.OK {
		return "", proto.Stat{}, code
	}
	parentPath := cmp.Or(path[:cut], "/")
	parent := x.tree.get(parentPath)
	switch {
	case parent == nil:
		return "", proto.Stat{}, proto.NoNode
	case !x.allowed(parent, proto.PermCreate):
		return "", proto.Stat{}, proto.NoAuth
	}
	if sequential {
		path = fmt.Sprintf("%s%010d", path, parent.cversion)
	}
	switch {
	case !ValidPath(path):
		return "", proto.Stat{}, proto.BadArguments
	case x.tree.get(path) != nil:
		return "", proto.Stat{}, proto.NodeExists
	}
	if kindOf(parent.owner) == ephemeral {
		return "", proto.Stat{}, proto.NoChildrenForEphemerals
	}
	if code := x.afford(path, 1, len(data)); code != proto.OK {
		return "", proto.Stat{}, code
	}
	n := &znode{
		data: bytes.Clone(data), acl: x.tree.intern(acl), owner: owner,
		czxid: x.zxid, mzxid: x.zxid, pzxid: x.zxid, ctime: x.time, mtime: x.time,
	}
	above := *parent
	above.cversion++
	above.children++
	above.pzxid = x.zxid
	x.set(parentPath, &above)
	x.set(path, n)
	x.counted(path, len(data))
	x.Events = append(x.Events, Event{proto.NodeCreated, path, n.acl.list}, Event{proto.NodeChildrenChanged, parentPath, above.acl.list})
	return path, n.stat(), proto.OK
}

// Delete removes a znode without children.
func (x *Txn) Delete(path string, version int32) proto.Code {
	if !strings.Contains(path, "/") || strings.Contains(path, "\x00") || reserved(path) {
		return proto.BadArguments
	}
	parentPath, _ := split(path)
	parent, node := x.tree.get(parentPath), x.tree.get(path)
	switch {
	case parent == nil, node == nil:
		return proto.NoNode
	case !x.allowed(parent, proto.PermDelete):
		return proto.NoAuth
	case version != -1 && version != node.version:
		return proto.BadVersion
	case node.children > 0:
		return proto.NotEmpty
	}
	x.remove(path, node)
	return proto.OK
}

func (x *Txn) remove(path string, node *znode) {
	parentPath, _ := split(path)
	above := *x.tree.get(parentPath)
	above.children--
	above.pzxid = x.zxid
	x.set(parentPath, &above)
	x.set(path, nil)
	x.charge(path, -1, -len(node.data))
	x.Events = append(x.Events, Event{proto.NodeDeleted, path, node.acl.list}, Event{proto.NodeChildrenChanged, parentPath, above.acl.list})
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
	grown := len(data) - len(n.data)
	if code := x.afford(path, 0, grown); code != proto.OK {
		return proto.Stat{}, code
	}
	next := *n
	next.data, next.mzxid, next.mtime = bytes.Clone(data), x.zxid, x.time
	next.version++
	x.set(path, &next)
	x.charge(path, 0, grown)
	x.Events = append(x.Events, Event{proto.NodeDataChanged, path, n.acl.list})
	return next.stat(), proto.OK
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
	next := *n
	next.acl = x.tree.intern(acl)
	next.aversion++
	x.set(path, &next)
	return next.stat(), proto.OK
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
		x.remove(path, x.tree.get(path))
	}
}

func (x *Txn) find(path string, perm int32) (*znode, proto.Code) {
	if !ValidPath(path) {
		return nil, proto.BadArguments
	}
	n := x.tree.get(path)
	switch {
	case n == nil:
		return nil, proto.NoNode
	case !x.allowed(n, perm):
		return nil, proto.NoAuth
	}
	return n, proto.OK
}

func (x *Txn) allowed(n *znode, perm int32) bool { return x.Free || Allowed(n.acl.list, perm, x.who) }

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
			if strings.Count(strings.TrimRight(a.ID.ID, ":"), ":") != 1 {
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
