package tree

import (
	"math"
	"slices"

	"kdrill/node/coordinator/proto"
)

// kind is how a znode ends. It shows in its owner, of which a client sees only an ephemeral's:
//
//	0                      persistent: when a client deletes it
//	1 << 63                container: some time after its last child
//	0xff, 0, 5 bytes of ms TTL: when it has had no child and no change for so long
//	anything else          ephemeral: with the session of that number
type kind byte

const (
	persistent kind = iota
	ephemeral
	container
	ttl
)

const (
	containerOwner int64 = math.MinInt64
	ttlMask        int64 = -1 << 56
	ttlMax         int64 = 1<<40 - 1
)

func kindOf(owner int64) kind {
	switch {
	case owner == 0:
		return persistent
	case owner == containerOwner:
		return container
	case owner&ttlMask == ttlMask:
		return ttl
	}
	return ephemeral
}

// over says whether a container or a znode with a time to live has reached its end at a time in Unix milliseconds. A
// container that never had a child stays: whoever made it may be about to use it.
func (n *znode) over(time int64) bool {
	if n.children > 0 {
		return false
	}
	switch kindOf(n.owner) {
	case container:
		return n.cversion > 0
	case ttl:
		return time-n.mtime > n.owner&^ttlMask
	}
	return false
}

// Over returns the paths of containers and znodes with a time to live that have reached their end, sorted.
func (t *Tree) Over(time int64) []string {
	var paths []string
	for path := range t.reapable {
		if t.get(path).over(time) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// Reap deletes a znode that has reached its end.
func (x *Txn) Reap(path string) proto.Code {
	n := x.tree.get(path)
	if n == nil {
		return proto.NoNode
	}
	if !n.over(x.time) {
		return proto.NotEmpty
	}
	x.remove(path, n)
	return proto.OK
}
