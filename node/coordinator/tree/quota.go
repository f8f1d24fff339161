package tree

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"kdrill/node/coordinator/proto"
)

// A quota on /a is two znodes, /zookeeper/quota/a/zookeeper_limits, which a client writes, and …/zookeeper_stats, whose
// data follows the number of znodes and bytes at and below /a without a change of its zxid or version:
//
//	count=3,bytes=1024=;byteHardLimit=2048;countHardLimit=10
//
// What is not set is -1. Limits of count and bytes are advice; the hard ones are enforced if the node is told to.
const (
	quotaRoot  = "/zookeeper/quota"
	limitsName = "/zookeeper_limits"
	statsName  = "/zookeeper_stats"
)

// limitedBy returns the path that a znode with limits is about.
func limitedBy(path string) (of string, ok bool) {
	if !strings.HasPrefix(path, quotaRoot+"/") || !strings.HasSuffix(path, limitsName) {
		return "", false
	}
	of = strings.TrimSuffix(path[len(quotaRoot):], limitsName)
	return of, of != ""
}

// quotaOf returns the deepest path with a quota at or above path.
func (t *Tree) quotaOf(path string) (string, bool) {
	if len(t.quotas) == 0 || strings.HasPrefix(path, "/zookeeper/") {
		return "", false
	}
	for ; path != ""; path = path[:strings.LastIndexByte(path, '/')] {
		if _, ok := t.quotas[path]; ok {
			return path, true
		}
	}
	return "", false
}

// amounts are the numbers of a limits or stats znode by name.
type amounts map[string]int64

func parseAmounts(data []byte) amounts {
	a := amounts{}
	for _, pair := range strings.FieldsFunc(string(data), func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		n, err := strconv.ParseInt(strings.TrimSuffix(value, "="), 10, 64)
		if err != nil {
			n = -1
		}
		a[name] = n
	}
	return a
}

func (a amounts) get(name string) int64 {
	if n, ok := a[name]; ok {
		return n
	}
	return -1
}

func (a amounts) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "count=%d,bytes=%d", a.get("count"), a.get("bytes"))
	end := "=" // parsers of old look no further
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if name != "count" && name != "bytes" {
			fmt.Fprintf(&b, "%s;%s=%d", end, name, a[name])
			end = ""
		}
	}
	return b.String()
}

// charge counts a change of znodes and bytes at path.
func (x *Txn) charge(path string, znodes, bytes int) {
	if of, ok := x.tree.quotaOf(path); ok {
		x.count(of, func(a amounts) {
			a["count"] = a.get("count") + int64(znodes)
			a["bytes"] = a.get("bytes") + int64(bytes)
		})
	}
}

// recount counts everything at and below of, whose stats have just been made.
func (x *Txn) recount(of string) {
	x.count(of, func(a amounts) {
		clear(a)
		a["count"], a["bytes"] = 0, 0
		if n := x.tree.get(of); n != nil {
			a["count"], a["bytes"] = 1, int64(len(n.data))
		}
		for _, n := range x.tree.below(of) {
			a["count"]++
			a["bytes"] += int64(len(n.data))
		}
	})
}

func (x *Txn) count(of string, change func(amounts)) {
	path := quotaRoot + of + statsName
	n := x.tree.get(path)
	if n == nil {
		return
	}
	a := parseAmounts(n.data)
	change(a)
	next := *n
	next.data = []byte(a.String())
	x.set(path, &next)
}

// afford says whether a hard limit allows a change at path.
func (x *Txn) afford(path string, znodes, bytes int) proto.Code {
	if !x.Enforce {
		return proto.OK
	}
	of, ok := x.tree.quotaOf(path)
	if !ok {
		return proto.OK
	}
	limits, stats := x.tree.get(quotaRoot+of+limitsName), x.tree.get(quotaRoot+of+statsName)
	if stats == nil {
		return proto.OK
	}
	limit, now := parseAmounts(limits.data), parseAmounts(stats.data)
	if hard := limit.get("countHardLimit"); znodes != 0 && hard > -1 && now.get("count")+int64(znodes) > hard {
		return proto.QuotaExceeded
	}
	if hard := limit.get("byteHardLimit"); bytes != 0 && hard > -1 && now.get("bytes")+int64(bytes) > hard {
		return proto.QuotaExceeded
	}
	return proto.OK
}

// counted follows what a new znode means to quotas.
func (x *Txn) counted(path string, bytes int) {
	x.charge(path, 1, bytes)
	if strings.HasPrefix(path, quotaRoot+"/") && strings.HasSuffix(path, statsName) {
		x.recount(strings.TrimSuffix(path[len(quotaRoot):], statsName))
	}
}
