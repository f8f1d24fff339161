package coordinator

import (
	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

// noZxid is in the events that a client is told when it sets its watches again: they are not of one change.
const noZxid = -1

// setWatches sets the watches that a client had on another connection. What has happened since it saw RelativeZxid
// it is told at once.
func setWatches(decode func(*proto.SetWatches, *proto.Decoder)) reader {
	return func(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
		var r proto.SetWatches
		if decode(&r, d); d.Err() != nil {
			return proto.MarshallingError, nil
		}
		s := c.server
		tell := func(event proto.EventType, path string) { c.notify(tree.Event{Type: event, Path: path}, noZxid) }
		for _, path := range r.Data {
			switch stat, ok := s.machine.Tree.Stat(path); {
			case !ok:
				tell(proto.NodeDeleted, path)
			case stat.Mzxid > r.RelativeZxid:
				tell(proto.NodeDataChanged, path)
			default:
				s.watches.watchData(path, c)
			}
		}
		for _, path := range r.Exist {
			if _, ok := s.machine.Tree.Stat(path); ok {
				tell(proto.NodeCreated, path)
				continue
			}
			s.watches.watchData(path, c)
		}
		for _, path := range r.Child {
			switch stat, ok := s.machine.Tree.Stat(path); {
			case !ok:
				tell(proto.NodeDeleted, path)
			case stat.Pzxid > r.RelativeZxid:
				tell(proto.NodeChildrenChanged, path)
			default:
				s.watches.watchChildren(path, c)
			}
		}
		for _, path := range r.Persistent {
			s.watches.add(path, proto.WatchPersistent, c)
		}
		for _, path := range r.Recursive {
			s.watches.add(path, proto.WatchRecursive, c)
		}
		return proto.OK, nil
	}
}

func addWatch(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	var r proto.PathKind
	if r.Decode(d); d.Err() != nil || !c.server.watches.add(r.Path, r.Kind, c) {
		return proto.MarshallingError, nil
	}
	return proto.OK, func(e *proto.Encoder) { e.Int(int32(proto.OK)) }
}

func removeWatches(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	return onWatches(c, d, c.server.watches.remove)
}

func checkWatches(c *conn, d *proto.Decoder) (proto.Code, func(*proto.Encoder)) {
	return onWatches(c, d, c.server.watches.has)
}

func onWatches(c *conn, d *proto.Decoder, do func(path string, kind int32, c *conn) bool) (proto.Code, func(*proto.Encoder)) {
	var r proto.PathKind
	switch r.Decode(d); {
	case d.Err() != nil, c.server.watches.of(r.Kind) == nil:
		return proto.MarshallingError, nil
	case !do(r.Path, r.Kind, c):
		return proto.NoWatcher, nil
	}
	return proto.OK, nil
}
