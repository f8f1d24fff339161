package coordinator

import (
	"cmp"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

// rawClient speaks the protocol byte by byte, and sends no pings.
type rawClient struct {
	net.Conn
	t    testing.TB
	xid  int32
	zxid int64
	code proto.Code
	wait time.Duration // for a frame, a minute if 0
}

func dial(t testing.TB, addr string) *rawClient {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &rawClient{Conn: c, t: t}
}

func (c *rawClient) send(frame []byte) {
	c.t.Helper()
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *rawClient) receive() []byte {
	c.t.Helper()
	frame, err := c.next()
	if err != nil {
		c.t.Fatal(err)
	}
	return frame
}

// next is the next frame from the node.
func (c *rawClient) next() ([]byte, error) {
	c.SetReadDeadline(time.Now().Add(cmp.Or(c.wait, time.Minute)))
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(head))
	_, err := io.ReadFull(c, frame)
	return frame, err
}

func connectRequest(timeout time.Duration, session int64, password []byte, seen int64) []byte {
	var e proto.Encoder
	e.Int(0)
	e.Long(seen)
	e.Int(int32(timeout.Milliseconds()))
	e.Long(session)
	e.Buffer(password)
	e.Bool(false)
	return e.B
}

func (c *rawClient) connect(timeout time.Duration) *proto.ConnectResponse {
	c.t.Helper()
	return c.reconnect(&proto.ConnectResponse{TimeoutMs: int32(timeout.Milliseconds()), Password: make([]byte, 16)}, 0)
}

func (c *rawClient) reconnect(s *proto.ConnectResponse, seen int64) *proto.ConnectResponse {
	c.t.Helper()
	c.send(connectRequest(time.Duration(s.TimeoutMs)*time.Millisecond, s.Session, s.Password, seen))
	d := proto.NewDecoder(c.receive())
	d.Int()
	r := &proto.ConnectResponse{TimeoutMs: d.Int(), Session: d.Long(), Password: d.Buffer()}
	r.HasReadOnly = len(d.Rest()) == 1
	if d.Err() != nil {
		c.t.Fatal(d.Err())
	}
	return r
}

// request sends one request and returns the body of its reply; the rest is in zxid and code.
func (c *rawClient) request(op proto.Op, body func(*proto.Encoder)) []byte {
	c.t.Helper()
	c.xid++
	var e proto.Encoder
	e.Int(c.xid)
	e.Int(int32(op))
	if body != nil {
		body(&e)
	}
	c.send(e.B)
	d := proto.NewDecoder(c.receive())
	xid := d.Int()
	c.zxid, c.code = d.Long(), proto.Code(d.Int())
	if xid != c.xid || d.Err() != nil {
		c.t.Fatalf("reply %d to request %d", xid, c.xid)
	}
	return d.Rest()
}

func (c *rawClient) create(path string, flags int32) {
	c.t.Helper()
	c.request(proto.OpCreate, (&proto.Create{Path: path, Data: []byte{}, ACL: proto.Anyone(), Flags: flags}).Encode)
}

// read asks whether path exists and watches it.
func (c *rawClient) read(path string) {
	c.t.Helper()
	c.request(proto.OpExists, func(e *proto.Encoder) { e.String(path); e.Bool(true) })
}
