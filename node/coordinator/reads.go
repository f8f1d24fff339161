package coordinator

import (
	"strings"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

// reader answers a request from this node's state, whose read lock the caller holds.
type reader func(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder))

var reads = map[proto.Op]reader{
	proto.OpExists:               exists,
	proto.OpGetData:              getData,
	proto.OpGetChildren:          getChildren(false),
	proto.OpGetChildren2:         getChildren(true),
	proto.OpGetACL:               getACL,
	proto.OpSetWatches:           setWatches,
	proto.OpGetEphemerals:        getEphemerals,
	proto.OpGetAllChildrenNumber: getAllChildrenNumber,
	proto.OpWhoAmI:               whoAmI,
}

func exists(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	path, watch := d.String(), d.Bool()
	if d.Err() != nil || !tree.ValidPath(path) {
		return proto.BadArguments, nil
	}
	stat, ok := c.server.machine.Tree.Stat(path)
	if watch {
		c.server.watches.watchData(path, c)
	}
	if !ok {
		return proto.NoNode, nil
	}
	return proto.OK, stat.Encode
}

func getData(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	path, watch := d.String(), d.Bool()
	if code := c.readable(path, d); code != proto.OK {
		return code, nil
	}
	data, stat, _ := c.server.machine.Tree.Data(path)
	if watch {
		c.server.watches.watchData(path, c)
	}
	return proto.OK, func(e *proto.Encoder) {
		e.Buffer(data)
		stat.Encode(e)
	}
}

func getChildren(withStat bool) reader {
	return func(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
		path, watch := d.String(), d.Bool()
		if code := c.readable(path, d); code != proto.OK {
			return code, nil
		}
		names, stat, _ := c.server.machine.Tree.Children(path)
		if watch {
			c.server.watches.watchChildren(path, c)
		}
		return proto.OK, func(e *proto.Encoder) {
			e.Strings(names)
			if withStat {
				stat.Encode(e)
			}
		}
	}
}

func getACL(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	path := d.String()
	if d.Err() != nil || !tree.ValidPath(path) {
		return proto.BadArguments, nil
	}
	acl, stat, ok := c.server.machine.Tree.ACL(path)
	switch {
	case !ok:
		return proto.NoNode, nil
	case !tree.Allowed(acl, proto.PermRead|proto.PermAdmin, c.auth):
		return proto.NoAuth, nil
	}
	return proto.OK, func(e *proto.Encoder) {
		proto.EncodeACL(e, acl)
		stat.Encode(e)
	}
}

// readable says whether the client may read the znode at path.
func (c *conn) readable(path string, d *proto.Decoder) proto.Code {
	if d.Err() != nil || !tree.ValidPath(path) {
		return proto.BadArguments
	}
	acl, _, ok := c.server.machine.Tree.ACL(path)
	switch {
	case !ok:
		return proto.NoNode
	case !tree.Allowed(acl, proto.PermRead, c.auth):
		return proto.NoAuth
	}
	return proto.OK
}

// setWatches sets the watches that a client had on another connection. What has happened since it saw RelativeZxid
// it is told at once.
func setWatches(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	var r proto.SetWatches
	if r.Decode(d); d.Err() != nil {
		return proto.MarshallingError, nil
	}
	s := c.server
	zxid := s.machine.Zxid()
	for _, path := range r.Data {
		switch stat, ok := s.machine.Tree.Stat(path); {
		case !ok:
			c.notify(tree.Event{Type: proto.NodeDeleted, Path: path}, zxid)
		case stat.Mzxid > r.RelativeZxid:
			c.notify(tree.Event{Type: proto.NodeDataChanged, Path: path}, zxid)
		default:
			s.watches.watchData(path, c)
		}
	}
	for _, path := range r.Exist {
		if _, ok := s.machine.Tree.Stat(path); ok {
			c.notify(tree.Event{Type: proto.NodeCreated, Path: path}, zxid)
			continue
		}
		s.watches.watchData(path, c)
	}
	for _, path := range r.Child {
		switch stat, ok := s.machine.Tree.Stat(path); {
		case !ok:
			c.notify(tree.Event{Type: proto.NodeDeleted, Path: path}, zxid)
		case stat.Pzxid > r.RelativeZxid:
			c.notify(tree.Event{Type: proto.NodeChildrenChanged, Path: path}, zxid)
		default:
			s.watches.watchChildren(path, c)
		}
	}
	return proto.OK, nil
}

func getEphemerals(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	prefix := d.String()
	var paths []string
	for _, path := range c.server.machine.Tree.Ephemerals(c.session.Load()) {
		if strings.HasPrefix(path, prefix) {
			paths = append(paths, path)
		}
	}
	return proto.OK, func(e *proto.Encoder) { e.Strings(paths) }
}

func getAllChildrenNumber(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	path := d.String()
	if code := c.readable(path, d); code != proto.OK {
		return code, nil
	}
	n := c.server.machine.Tree.Descendants(path)
	return proto.OK, func(e *proto.Encoder) { e.Int(int32(n)) }
}

func whoAmI(c *conn, _ *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	return proto.OK, func(e *proto.Encoder) {
		e.Int(int32(len(c.auth)))
		for _, id := range c.auth {
			user, _, _ := strings.Cut(id.ID, ":")
			if id.Scheme == "ip" {
				user = id.ID
			}
			e.String(id.Scheme)
			e.String(user)
		}
	}
}
