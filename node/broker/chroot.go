package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
)

// chrooted is a connection to ZooKeeper on which every path lies below a chroot: the client library knows none. It puts
// the chroot before the paths of requests and takes it off those of replies and watch events, frame by frame.
//
//	frame      int32 size | payload; the first in either direction opens the session and has no path
//	request    int32 xid | int32 operation | body
//	reply      int32 xid | int64 zxid | int32 error | body
//	string     int32 length, -1 is null | bytes
type chrooted struct {
	net.Conn
	chroot string

	opened bool   // the first frame was written
	out    []byte // written, not a whole frame yet

	reader *bufio.Reader
	greet  bool   // the first frame was read
	in     []byte // to be read

	mu      sync.Mutex
	waiting map[int32]int32 // operations by xid whose replies hold paths
}

// Operations of ZooKeeper's protocol whose shape matters here.
const (
	opCreate      = 1
	opSync        = 9
	opPing        = 11
	opMulti       = 14
	opCreate2     = 15
	opContainer   = 19
	opCreateTTL   = 21
	opAuth        = 100
	opSetWatches  = 101
	opSetWatches2 = 105
	opClose       = -11

	xidEvent = -1
)

var errFrame = errors.New("ZooKeeper frame not understood")

func newChrooted(conn net.Conn, chroot string) *chrooted {
	return &chrooted{Conn: conn, chroot: chroot, reader: bufio.NewReader(conn), waiting: map[int32]int32{}}
}

func (c *chrooted) Write(p []byte) (int, error) {
	c.out = append(c.out, p...)
	for len(c.out) >= 4 {
		end := 4 + int(binary.BigEndian.Uint32(c.out))
		if end < 4 || len(c.out) < end {
			break
		}
		payload := c.out[4:end]
		if c.opened {
			var err error
			if payload, err = c.request(payload); err != nil {
				return 0, err
			}
		}
		c.opened = true
		if _, err := c.Conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)); err != nil {
			return 0, err
		}
		c.out = append(c.out[:0], c.out[end:]...)
	}
	return len(p), nil
}

func (c *chrooted) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		if err := c.readFrame(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *chrooted) readFrame() error {
	var size [4]byte
	if _, err := io.ReadFull(c.reader, size[:]); err != nil {
		return err
	}
	const most = 64 << 20
	n := binary.BigEndian.Uint32(size[:])
	if n > most {
		return errFrame
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(c.reader, payload); err != nil {
		return err
	}
	if c.greet {
		var err error
		if payload, err = c.reply(payload); err != nil {
			return err
		}
	}
	c.greet = true
	c.in = append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
	return nil
}

// request puts the chroot before the paths of a request.
func (c *chrooted) request(src []byte) ([]byte, error) {
	r := rewriter{src: src}
	xid, op := r.int32(), r.int32()
	switch op {
	case opPing, opAuth, opClose:
	case opSetWatches, opSetWatches2:
		r.bytes(8)
		for range 3 {
			for range r.count() {
				r.path(c.add)
			}
		}
	case opMulti:
		c.multiRequest(&r)
	default:
		r.path(c.add)
	}
	switch op {
	case opCreate, opCreate2, opContainer, opCreateTTL, opSync, opMulti:
		c.mu.Lock()
		c.waiting[xid] = op
		c.mu.Unlock()
	}
	return r.rest()
}

// multiRequest rewrites operations with their headers, up to the header that says it is the last.
func (c *chrooted) multiRequest(r *rewriter) {
	const setData = 5
	for {
		op, done := r.int32(), r.byte()
		r.bytes(4)
		if done || r.failed {
			return
		}
		r.path(c.add)
		switch op {
		case opCreate:
			r.buffer()
			for range r.count() { // of the access list
				r.bytes(4)
				r.buffer()
				r.buffer()
			}
		case setData:
			r.buffer()
		}
		r.bytes(4) // flags or version
	}
}

// reply takes the chroot off the paths of a reply or an event.
func (c *chrooted) reply(src []byte) ([]byte, error) {
	r := rewriter{src: src}
	xid := r.int32()
	r.bytes(8)
	failed := r.int32() != 0
	if xid == xidEvent {
		r.bytes(8) // type and state
		r.path(c.strip)
		return r.rest()
	}
	c.mu.Lock()
	op, ok := c.waiting[xid]
	delete(c.waiting, xid)
	c.mu.Unlock()
	switch {
	case !ok || failed:
	case op == opMulti:
		c.multiReply(&r)
	default:
		r.path(c.strip)
	}
	return r.rest()
}

func (c *chrooted) multiReply(r *rewriter) {
	const statBytes, setData, failure = 68, 5, -1
	for {
		op, done := r.int32(), r.byte()
		r.bytes(4)
		if done || r.failed {
			return
		}
		switch op {
		case opCreate:
			r.path(c.strip)
		case setData:
			r.bytes(statBytes)
		case failure:
			r.bytes(4)
		}
	}
}

func (c *chrooted) add(path string) string {
	if path == "/" {
		return c.chroot
	}
	return c.chroot + path
}

func (c *chrooted) strip(path string) string {
	if rest, ok := strings.CutPrefix(path, c.chroot); ok && (rest == "" || rest[0] == '/') {
		return "/" + strings.TrimPrefix(rest, "/")
	}
	return path
}

// rewriter copies a frame field by field; after a field that is not there it has failed.
type rewriter struct {
	src, dst []byte
	failed   bool
}

func (r *rewriter) bytes(n int) []byte {
	if n < 0 || n > len(r.src) {
		r.failed, r.src = true, nil
		return nil
	}
	field := r.src[:n]
	r.dst, r.src = append(r.dst, field...), r.src[n:]
	return field
}

func (r *rewriter) int32() int32 {
	field := r.bytes(4)
	if field == nil {
		return 0
	}
	return int32(binary.BigEndian.Uint32(field))
}

func (r *rewriter) byte() bool {
	field := r.bytes(1)
	return field != nil && field[0] != 0
}

// count reads the length of a list, 0 if it is more than can follow.
func (r *rewriter) count() int {
	n := int(r.int32())
	if n > len(r.src) {
		r.failed = true
		return 0
	}
	return max(n, 0)
}

func (r *rewriter) buffer() { r.bytes(max(int(r.int32()), 0)) }

func (r *rewriter) path(change func(string) string) {
	at := len(r.dst)
	n := int(r.int32())
	if n < 0 {
		return
	}
	field := r.bytes(n)
	if r.failed {
		return
	}
	path := change(string(field))
	r.dst = binary.BigEndian.AppendUint32(r.dst[:at], uint32(len(path)))
	r.dst = append(r.dst, path...)
}

// rest copies what is left and returns the new frame.
func (r *rewriter) rest() ([]byte, error) {
	if r.failed {
		return nil, errFrame
	}
	return append(r.dst, r.src...), nil
}
