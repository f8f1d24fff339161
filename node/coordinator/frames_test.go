package coordinator

import (
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

// What Apache ZooKeeper 3.8 answers to the same requests: xid, zxid without its epoch, error and body. T is a time.
const apacheFrames = `
1 2 0 ffffffff000000000000000000ffffffff00ffffff9bffffff9bffffffff00fffffffefffffffeffffffff01ffffffff
2 3 0 000000010000000000000000032f6f6b00000005000000000000000000000000030000000000000003TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT000000010000000000000000000000000000000000000001000000000000000000000003ffffffff01ffffffff
3 4 -103
4 5 0 ffffffff01ffffffff
6 6 -110`

func TestMultiAnswersAsApacheDoes(t *testing.T) {
	e := startEnsemble(t, 1)
	c := dial(t, e.nodes[0].client)
	c.connect(time.Minute)

	create := proto.Create{Path: "/ok", Data: []byte{}, ACL: proto.Anyone()}
	var got []string
	note := func(body []byte) {
		text := strings.TrimSpace(strings.Join([]string{
			itoa(int64(c.xid)), itoa(c.zxid & 0xffffffff), itoa(int64(c.code)), hex.EncodeToString(body),
		}, " "))
		got = append(got, text)
	}
	op := func(e *proto.Encoder, op proto.Op, body func(*proto.Encoder)) {
		proto.MultiHeader{Op: op, Err: -1}.Encode(e)
		body(e)
	}
	note(c.request(proto.OpMulti, func(e *proto.Encoder) {
		op(e, proto.OpCreate, (&proto.Create{Path: "/tmp", ACL: proto.Anyone()}).Encode)
		op(e, proto.OpCheck, (&proto.PathVersion{Path: "/none"}).Encode)
		op(e, proto.OpDelete, (&proto.PathVersion{Path: "/tmp"}).Encode)
		proto.MultiEnd.Encode(e)
	}))
	ok := c.request(proto.OpMulti, func(e *proto.Encoder) {
		op(e, proto.OpCreate, create.Encode)
		op(e, proto.OpSetData, (&proto.SetData{Path: "/ok", Data: []byte("x"), Version: 0}).Encode)
		proto.MultiEnd.Encode(e)
	})
	if len(ok) == 0 {
		t.Fatalf("multi failed: %v", c.code)
	}
	note(ok)
	note(c.request(proto.OpCheck, (&proto.PathVersion{Path: "/ok", Version: 7}).Encode))
	note(c.request(proto.OpMulti, proto.MultiEnd.Encode))
	c.xid++
	note(c.request(proto.OpCreate, create.Encode))

	want := strings.Split(strings.TrimSpace(apacheFrames), "\n")
	for i := range want {
		if g := mask(got[i], want[i]); g != want[i] {
			t.Errorf("frame %d\n got %s\nwant %s", i+1, g, want[i])
		}
	}
	c.request(proto.OpGetChildren2, func(e *proto.Encoder) { e.String("/"); e.Bool(false) })
	if c.zxid&0xffffffff != 6 {
		t.Errorf("a read has zxid %x", c.zxid)
	}
	for _, op := range []proto.Op{998, 999} {
		if c.request(op, nil); c.code != proto.Unimplemented {
			t.Errorf("op %d: %v", op, c.code)
		}
	}
	if c.request(proto.OpCloseSession, nil); c.code != proto.OK || c.zxid&0xffffffff != 7 {
		t.Errorf("close: %v %x", c.code, c.zxid)
	}
}

// mask puts a T where want has one, and 0 for the epoch of a zxid in a Stat.
func mask(got, want string) string {
	b := []byte(got)
	for i := range min(len(b), len(want)) {
		if want[i] == 'T' {
			b[i] = 'T'
		}
	}
	// The epoch is 1 here: it stands where want has 0000000000000003.
	return strings.ReplaceAll(string(b), "0000000100000003", "0000000000000003")
}

func itoa(v int64) string { return strconv.FormatInt(v, 10) }
