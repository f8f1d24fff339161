package coordinator

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

// superConfig makes "super:secret" the super user and allows all kinds of znodes. Sessions may be silent for as long as a
// slow machine wants them to.
var superConfig = []string{
	"DigestAuthenticationProvider.superDigest=super:lK75jTNcA+U9vtVEw5vB51mj/w4=",
	"extendedTypesEnabled=true", "enforceQuota=true", "znode.container.checkIntervalMs=500", "maxSessionTimeout=60000",
}

// explained are the lines of the comparison that differ, and why they may.
var explained = map[string]string{
	"a: read(104)  watch": "Apache counts the root as its own child when it is named with an empty path",
	"z: check alone":      "Apache 3.8 has no reply for a check outside of a multi",
}

// One script of operations against Apache ZooKeeper and against these nodes: the replies and events are the same, apart
// from times, session ids and the absolute value of zxids. What differs nevertheless is in explained.
func TestAnswersAreThoseOfApacheZooKeeper(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Apache ZooKeeper")
	}
	theirs := playScript(t, startApache(t, 1, superConfig...).nodes[0].client, 2*time.Second)
	ours := playScript(t, startEnsemble(t, 1, superConfig...).nodes[0].client, time.Minute)
	for i := range max(len(theirs), len(ours)) {
		their, our := "nothing", "nothing"
		if i < len(theirs) {
			their = theirs[i]
		}
		if i < len(ours) {
			our = ours[i]
		}
		if their == our {
			continue
		}
		if why := explain(our); why != "" {
			t.Logf("differs: %s\n  Apache %s\n  here   %s", why, their, our)
			continue
		}
		t.Errorf("\nApache %s\nhere   %s", their, our)
	}
	t.Logf("%d answers compared", len(ours))
}

func explain(line string) string {
	for start, why := range explained {
		if strings.HasPrefix(line, start) {
			return why
		}
	}
	return ""
}

// player plays a script with some clients and notes what it hears.
type player struct {
	t        testing.TB
	addr     string
	silence  time.Duration
	clients  map[string]*rawClient
	sessions map[int64]string
	base     int64 // the zxid before the first change
	lines    []string
}

// shower prints the body of a reply.
type shower func(p *player, d *proto.Decoder) string

func (p *player) open(name string) {
	c := dial(p.t, p.addr)
	s := c.connect(60 * time.Second)
	p.clients[name] = c
	p.sessions[s.Session] = name
}

func (p *player) note(format string, args ...any) {
	p.lines = append(p.lines, fmt.Sprintf(format, args...))
}

// zxid prints a zxid relative to the base, without its epoch: how often an ensemble elected before it settled is
// nothing to compare.
func (p *player) zxid(z int64) string {
	if z <= 0 {
		return strconv.FormatInt(z, 10)
	}
	return "z" + strconv.FormatInt(z&0xffffffff-p.base&0xffffffff, 10)
}

// do sends one request and notes everything up to its reply.
func (p *player) do(client, what string, op proto.Op, body func(*proto.Encoder), show shower) {
	c := p.clients[client]
	c.xid++
	xid := c.xid
	switch op {
	case proto.OpPing:
		xid = proto.XidPing
	case proto.OpAuth:
		xid = proto.XidAuth
	case proto.OpSetWatches, proto.OpSetWatches2:
		xid = proto.XidSetWatches
	}
	var e proto.Encoder
	e.Int(xid)
	e.Int(int32(op))
	if body != nil {
		body(&e)
	}
	c.send(e.B)
	for {
		frame, err := c.next()
		if err != nil {
			p.note("%s: %s: connection ended", client, what)
			p.open(client)
			return
		}
		d := proto.NewDecoder(frame)
		got, zxid, code := d.Int(), d.Long(), proto.Code(d.Int())
		if got == proto.XidNotification {
			kind, state := proto.EventType(d.Int()), d.Int()
			p.note("%s: event %d state %d %s", client, kind, state, d.String())
			continue
		}
		if p.base == 0 {
			p.base = zxid
		}
		if got != xid {
			p.t.Fatalf("%s: reply %d to %d", what, got, xid)
		}
		text := ""
		if len(d.Rest()) > 0 {
			text = "?"
			if show != nil {
				text = show(p, d)
			}
			if len(d.Rest()) > 0 {
				text += fmt.Sprintf(" and %x", d.Rest())
			}
		}
		at := p.zxid(zxid)
		if op == proto.OpPing {
			at = ""
		}
		p.note("%s: %s: %s %v %s", client, what, at, code, text)
		return
	}
}

// expectEnd notes whether the connection ends.
func (p *player) expectEnd(client string) {
	c := p.clients[client]
	c.SetReadDeadline(time.Now().Add(time.Minute))
	n, err := c.Read(make([]byte, 1))
	p.note("%s: ends: %v", client, n == 0 && err != nil && !strings.Contains(err.Error(), "timeout"))
}

func showString(_ *player, d *proto.Decoder) string { return d.String() }

func showInt(_ *player, d *proto.Decoder) string { return strconv.Itoa(int(d.Int())) }

func showBuffer(_ *player, d *proto.Decoder) string {
	b := d.Buffer()
	if b == nil {
		return "null"
	}
	return strconv.Quote(string(b))
}

func showStat(p *player, d *proto.Decoder) string {
	var s proto.Stat
	s.Decode(d)
	owner := fmt.Sprintf("%x", uint64(s.EphemeralOwner))
	if name := p.sessions[s.EphemeralOwner]; name != "" {
		owner = name
	}
	return fmt.Sprintf("[%s %s %s v%d c%d a%d owner %s len %d children %d]", p.zxid(s.Czxid), p.zxid(s.Mzxid), p.zxid(s.Pzxid),
		s.Version, s.Cversion, s.Aversion, owner, s.DataLength, s.NumChildren)
}

// showNames prints names in their order by name: Apache's order is that of a hash table.
func showNames(_ *player, d *proto.Decoder) string { return fmt.Sprintf("%q", sorted(d.Strings())) }

func showACL(_ *player, d *proto.Decoder) string { return fmt.Sprint(proto.DecodeACL(d)) }

// showIDs prints identities in the order of their text; Apache's order is that of a hash table.
func showIDs(_ *player, d *proto.Decoder) string {
	var ids []string
	for _, id := range proto.DecodeIDs(d) {
		ids = append(ids, fmt.Sprint(id))
	}
	return fmt.Sprint(sorted(ids))
}

func both(a, b shower) shower {
	return func(p *player, d *proto.Decoder) string { return a(p, d) + " " + b(p, d) }
}

// showResults prints what a multi or multiRead came to.
func showResults(p *player, d *proto.Decoder) string {
	var b strings.Builder
	for d.Err() == nil {
		var h proto.MultiHeader
		if h.Decode(d); h.Done {
			fmt.Fprintf(&b, "end %d %d", h.Op, h.Err)
			break
		}
		fmt.Fprintf(&b, "{%d %d ", h.Op, h.Err)
		switch h.Op {
		case proto.OpError:
			b.WriteString(showInt(p, d))
		case proto.OpCreate:
			b.WriteString(d.String())
		case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
			b.WriteString(d.String() + " " + showStat(p, d))
		case proto.OpSetData:
			b.WriteString(showStat(p, d))
		case proto.OpGetData:
			b.WriteString(showBuffer(p, d) + " " + showStat(p, d))
		case proto.OpGetChildren:
			b.WriteString(showNames(p, d))
		}
		b.WriteString("} ")
	}
	return b.String()
}

// The operations, each noted as it is written in a shell.

func (p *player) create(client, path, data string, flags int32) {
	p.createACL(client, path, data, flags, proto.Anyone())
}

func (p *player) createACL(client, path, data string, flags int32, acl []proto.ACL) {
	p.do(client, fmt.Sprintf("create %s %d %v", path, flags, acl), proto.OpCreate, newZnode(path, data, flags, acl).Encode, showString)
}

func (p *player) createAs(client, path string, op proto.Op, flags int32) {
	p.do(client, fmt.Sprintf("create(%d) %s %d", op, path, flags), op, newZnode(path, "data", flags, proto.Anyone()).Encode, both(showString, showStat))
}

func (p *player) createTTL(client, path string, flags int32, ttl int64) {
	r := proto.CreateTTL{Create: *newZnode(path, "data", flags, proto.Anyone()), TTL: ttl}
	p.do(client, fmt.Sprintf("createTTL %s %d %d", path, flags, ttl), proto.OpCreateTTL, r.Encode, both(showString, showStat))
}

func newZnode(path, data string, flags int32, acl []proto.ACL) *proto.Create {
	return &proto.Create{Path: path, Data: []byte(data), ACL: acl, Flags: flags}
}

func (p *player) set(client, path, data string, version int32) {
	p.do(client, fmt.Sprintf("set %s %q %d", path, data, version), proto.OpSetData, (&proto.SetData{Path: path, Data: []byte(data), Version: version}).Encode, showStat)
}

func (p *player) setACL(client, path string, acl []proto.ACL, version int32) {
	p.do(client, fmt.Sprintf("setAcl %s %v %d", path, acl, version), proto.OpSetACL, func(e *proto.Encoder) {
		e.String(path)
		proto.EncodeACL(e, acl)
		e.Int(version)
	}, showStat)
}

func (p *player) delete(client, path string, version int32) {
	p.do(client, fmt.Sprintf("delete %s %d", path, version), proto.OpDelete, (&proto.PathVersion{Path: path, Version: version}).Encode, nil)
}

func (p *player) read(client string, op proto.Op, path string, watch bool, show shower) {
	p.do(client, fmt.Sprintf("read(%d) %s watch %v", op, path, watch), op, func(e *proto.Encoder) { e.String(path); e.Bool(watch) }, show)
}

func (p *player) get(client, path string, watch bool) {
	p.read(client, proto.OpGetData, path, watch, both(showBuffer, showStat))
}

func (p *player) exists(client, path string, watch bool) {
	p.read(client, proto.OpExists, path, watch, showStat)
}

func (p *player) list(client, path string, watch bool) {
	p.read(client, proto.OpGetChildren2, path, watch, both(showNames, showStat))
}

func (p *player) auth(client, scheme, auth string) {
	p.do(client, "addauth "+scheme, proto.OpAuth, func(e *proto.Encoder) { e.Int(0); e.String(scheme); e.Buffer([]byte(auth)) }, nil)
}

func (p *player) watches(client, what string, op proto.Op, path string, kind int32) {
	p.do(client, fmt.Sprintf("%s %s %d", what, path, kind), op, (&proto.PathKind{Path: path, Kind: kind}).Encode, showInt)
}

func (p *player) ping(client string) { p.do(client, "ping", proto.OpPing, nil, nil) }

// part is one operation of a multi.
type part struct {
	op   proto.Op
	body func(*proto.Encoder)
}

func (p *player) multi(client, what string, op proto.Op, parts ...part) {
	p.do(client, "multi "+what, op, func(e *proto.Encoder) {
		for _, part := range parts {
			proto.MultiHeader{Op: part.op, Err: -1}.Encode(e)
			part.body(e)
		}
		proto.MultiEnd.Encode(e)
	}, showResults)
}

func pathAndWatch(path string) func(*proto.Encoder) {
	return func(e *proto.Encoder) { e.String(path); e.Bool(false) }
}

// raw sends an operation with any body.
func (p *player) raw(client, what string, op proto.Op, body []byte) {
	p.do(client, what, op, func(e *proto.Encoder) { e.B = append(e.B, body...) }, nil)
}

func reconfigBody() []byte {
	var e proto.Encoder
	e.B = binary.BigEndian.AppendUint32(e.B, 0xffffffff)
	e.B = binary.BigEndian.AppendUint32(e.B, 0xffffffff)
	e.B = binary.BigEndian.AppendUint32(e.B, 0xffffffff)
	e.Long(-1)
	return e.B
}
