package coordinator

import (
	"cmp"
	"slices"
	"strings"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/state"
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
	proto.OpSetWatches:           setWatches((*proto.SetWatches).Decode),
	proto.OpSetWatches2:          setWatches((*proto.SetWatches).Decode2),
	proto.OpAddWatch:             addWatch,
	proto.OpRemoveWatches:        removeWatches,
	proto.OpCheckWatches:         checkWatches,
	proto.OpGetEphemerals:        getEphemerals,
	proto.OpGetAllChildrenNumber: getAllChildrenNumber,
	proto.OpWhoAmI:               whoAmI,
	proto.OpMultiRead:            multiRead,
}

// pathOf reads the path of a request. The root has two names.
func pathOf(d *proto.Decoder) string { return cmp.Or(d.String(), "/") }

func exists(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	path, watch := pathOf(d), d.Bool()
	if d.Err() != nil || strings.Contains(path, "\x00") {
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
	path, watch := pathOf(d), d.Bool()
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
		path, watch := pathOf(d), d.Bool()
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
	path := pathOf(d)
	if d.Err() != nil {
		return proto.BadArguments, nil
	}
	acl, stat, ok := c.server.machine.Tree.ACL(path)
	switch {
	case !ok:
		return proto.NoNode, nil
	case !c.may(acl, proto.PermRead|proto.PermAdmin):
		return proto.NoAuth, nil
	}
	if !c.may(acl, proto.PermAdmin) {
		acl = masked(acl)
	}
	return proto.OK, func(e *proto.Encoder) {
		proto.EncodeACL(e, acl)
		stat.Encode(e)
	}
}

// masked is an ACL without the digests of passwords, which are for those who may change it.
func masked(acl []proto.ACL) []proto.ACL {
	acl = slices.Clone(acl)
	for i, a := range acl {
		if user, _, ok := strings.Cut(a.ID.ID, ":"); ok && a.Scheme == "digest" {
			acl[i].ID.ID = user + ":x"
		}
	}
	return acl
}

// may says whether an ACL grants perm to the client.
func (c *conn) may(acl []proto.ACL, perm int32) bool {
	return c.server.cfg.rules&state.SkipACL != 0 || tree.Allowed(acl, perm, c.auth)
}

// readable says whether the client may read the znode at path.
func (c *conn) readable(path string, d *proto.Decoder) proto.Code {
	if d.Err() != nil {
		return proto.BadArguments
	}
	acl, _, ok := c.server.machine.Tree.ACL(path)
	switch {
	case !ok:
		return proto.NoNode
	case !c.may(acl, proto.PermRead):
		return proto.NoAuth
	}
	return proto.OK
}

// multiRead answers several reads at once, each with its result or its error.
func multiRead(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	var e proto.Encoder
	for {
		var h proto.MultiHeader
		if h.Decode(d); d.Err() != nil {
			return proto.MarshallingError, nil
		}
		if h.Done {
			break
		}
		read := getData
		switch h.Op {
		case proto.OpGetData:
		case proto.OpGetChildren:
			read = getChildren(false)
		default:
			return proto.MarshallingError, nil
		}
		code, body := read(c, d)
		switch {
		case d.Err() != nil:
			return proto.MarshallingError, nil
		case code != proto.OK:
			proto.MultiHeader{Op: proto.OpError, Err: code}.Encode(&e)
			e.Int(int32(code))
		default:
			proto.MultiHeader{Op: h.Op}.Encode(&e)
			body(&e)
		}
	}
	proto.MultiEnd.Encode(&e)
	return proto.OK, func(out *proto.Encoder) { out.B = append(out.B, e.B...) }
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
	path := pathOf(d)
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
