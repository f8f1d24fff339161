package tree

import (
	"net/netip"

	"kdrill/node/coordinator/proto"
)

// Allowed says whether an ACL grants perm to a client that is known as who.
func Allowed(acl []proto.ACL, perm int32, who []proto.ID) bool {
	for _, id := range who {
		if id.Scheme == "super" {
			return true
		}
	}
	for _, a := range acl {
		if a.Perms&perm == 0 {
			continue
		}
		if a.Scheme == "world" && a.ID.ID == "anyone" {
			return true
		}
		for _, id := range who {
			if id.Scheme == a.Scheme && matches(a.ID, id) {
				return true
			}
		}
	}
	return false
}

func matches(granted, id proto.ID) bool {
	if granted.Scheme != "ip" {
		return granted.ID == id.ID
	}
	addr, err := netip.ParseAddr(id.ID)
	if err != nil {
		return false
	}
	if one, err := netip.ParseAddr(granted.ID); err == nil {
		return one == addr
	}
	prefix, err := netip.ParsePrefix(granted.ID)
	return err == nil && prefix.Contains(addr)
}

func validIPRange(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// MayRead says whether a client that is known as who may read a znode; true for one that is not there.
func (t *Tree) MayRead(path string, who []proto.ID) bool {
	n := t.get(path)
	return n == nil || Allowed(n.acl.list, proto.PermRead, who)
}
