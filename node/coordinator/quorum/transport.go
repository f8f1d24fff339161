package quorum

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"kdrill/node/coordinator/socket"
)

// Frames between nodes. Whoever wants to send dials; the other side only reads.
//
//	hello   "kdrill3\n" | uint64 from | uint64 to | uint64 last index of the sender's log | uint16 length | the sender's address
//	frame   uint32 length | byte kind | body, and behind one of kind 3 uint64 size | a snapshot file of that size
const (
	helloMagic   = "kdrill3\n"
	helloSize    = len(helloMagic) + 26
	frameMessage = 1 // raftpb.Message
	frameTouched = 2 // int64 session…
	frameFile    = 3 // raftpb.Message of a snapshot
	frameMax     = 1 << 30
)

const (
	queueMax     = 32 << 20 // bytes that wait for a peer; more are dropped, Raft sends again
	redial       = 50 * time.Millisecond
	writeLimit   = 5 * time.Second // a connection that takes nothing for so long is given up
	snapshotPart = 256 << 10
)

// receiver is what the transport tells.
type receiver interface {
	lastIndex() uint64
	greeted(from, lastIndex uint64)
	received(m *raftpb.Message)
	touched(sessions []int64)
	wake()              // all is received that came together
	peerUp(id uint64)   // this node can send to it
	peerLost(id uint64) // it cannot any more
	peerDown(id uint64) // it has no connection to this node any more
	unreachable(id uint64)
	snapshotSent(id uint64, status raft.SnapshotStatus)
	openSnapshot(index uint64) (*os.File, int64, error)
	receive(file io.Reader, size int64) (name string, err error)
}

// transport carries frames to the other nodes over TCP.
type transport struct {
	id  uint64
	to  receiver
	log *slog.Logger
	wg  sync.WaitGroup

	mu       sync.Mutex
	addr     string       // where the others reach this node
	home     string       // what addr was when this node started
	listener net.Listener // at addr, or still at the one before
	peers    map[uint64]*peer
	inbound  map[*inbound]struct{}
	life     context.Context // nil before run, done after it
}

// peer is another node, seen from here.
type peer struct {
	id      uint64
	addr    string
	guest   bool          // it is not one of the members, it came by itself
	inbound *atomic.Int32 // connections that it has to this node
	stop    context.CancelFunc

	mu      sync.Mutex
	out     *socket.Out // the connection to it; nil if there is none
	waiting []byte      // for a connection
}

func newTransport(id uint64, addr string, l net.Listener, to receiver, log *slog.Logger) *transport {
	return &transport{id: id, addr: addr, home: addr, listener: l, peers: map[uint64]*peer{}, inbound: map[*inbound]struct{}{}, to: to, log: log}
}

// run serves until ctx is done. It returns when every connection is closed.
func (t *transport) run(ctx context.Context) {
	defer t.wg.Wait()
	t.mu.Lock()
	l := t.listener
	if l == nil {
		t.mu.Unlock()
		return
	}
	t.life = ctx
	for _, p := range t.peers {
		t.start(p)
	}
	if t.addr != t.home {
		t.move(t.addr)
	}
	t.mu.Unlock()
	t.accept(ctx, l)
	<-ctx.Done()
}

// accept takes the connections of others at one address.
func (t *transport) accept(ctx context.Context, l net.Listener) {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return // this node has moved
		}
		if err != nil {
			t.log.Warn("accept a peer", "err", err)
			time.Sleep(redial) // out of file descriptors, most likely
			continue
		}
		t.wg.Go(func() {
			if err := t.receive(ctx, conn); err != nil && ctx.Err() == nil {
				t.log.Warn("connection of a peer closed", "remote", conn.RemoteAddr(), "err", err)
			}
		})
	}
}

// move listens at another address of this node, as soon as that is free, and then no more at the one before. The caller
// holds mu.
func (t *transport) move(addr string) {
	t.addr = addr
	if t.listener == nil || t.life == nil || t.life.Err() != nil {
		return
	}
	t.wg.Go(func() {
		for said := false; ; said = true {
			l, err := net.Listen("tcp", addr)
			t.mu.Lock()
			ctx, old, still := t.life, t.listener, t.addr == addr
			if err == nil && still {
				t.listener = l
			}
			t.mu.Unlock()
			switch {
			case err == nil && still:
				old.Close()
				t.log.Info("the other nodes reach this one at another address", "address", addr, "before", old.Addr())
				t.accept(ctx, l)
				return
			case err == nil:
				l.Close()
				return
			case !still:
				return
			case !said:
				t.log.Error("the other nodes cannot reach this one at its new address: stop what uses the port", "address", addr, "err", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(redial):
			}
		}
	})
}

// start connects to a peer. The caller holds mu and has seen that run runs.
func (t *transport) start(p *peer) {
	ctx, stop := context.WithCancel(t.life)
	p.stop = stop
	t.wg.Go(func() { t.send(ctx, p) })
}

// members makes the nodes in addrs the peers, beside guests that are here.
func (t *transport) members(addrs map[uint64]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, p := range t.peers {
		if addrs[id] == "" {
			p.guest = true
			if p.inbound.Load() == 0 {
				t.forget(p)
			}
		}
	}
	for id, addr := range addrs {
		switch {
		case id != t.id:
			t.reach(id, addr, false)
		case addr != t.addr:
			t.move(addr)
		}
	}
}

// welcome makes a node that came by itself a peer.
func (t *transport) welcome(id uint64, addr string) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.peers[id]; p != nil && !p.guest {
		return p
	}
	return t.reach(id, addr, true)
}

// reach makes a node at addr a peer. The caller holds mu.
func (t *transport) reach(id uint64, addr string, guest bool) *peer {
	p := t.peers[id]
	if p != nil && p.addr == addr {
		p.guest = guest
		return p
	}
	inbound := &atomic.Int32{}
	if p != nil {
		inbound = p.inbound
		t.forget(p)
	}
	p = &peer{id: id, addr: addr, guest: guest, inbound: inbound}
	t.peers[id] = p
	if t.life != nil && t.life.Err() == nil {
		t.start(p)
	}
	return p
}

func (t *transport) forget(p *peer) {
	delete(t.peers, p.id)
	if p.stop != nil {
		p.stop()
	}
}

// gone forgets a guest that has left.
func (t *transport) gone(p *peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.peers[p.id]; now != nil && now.guest && now.inbound.Load() == 0 {
		t.forget(now)
	}
}

func (t *transport) peer(id uint64) *peer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.peers[id]
}

// present are the nodes that have a connection to this one.
func (t *transport) present() map[uint64]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	here := map[uint64]bool{}
	for id, p := range t.peers {
		if p.inbound.Load() > 0 {
			here[id] = true
		}
	}
	return here
}

// message queues a Raft message, for the next flush.
func (t *transport) message(m *raftpb.Message) {
	t.queue(m.GetTo(), frameMessage, func(b []byte) []byte {
		b, err := proto.MarshalOptions{}.MarshalAppend(b, m)
		if err != nil {
			t.log.Error("encode a message", "err", err)
		}
		return b
	})
}

// touch sends signs of life of sessions.
func (t *transport) touch(to uint64, sessions []int64) {
	t.queue(to, frameTouched, func(b []byte) []byte {
		for _, s := range sessions {
			b = binary.BigEndian.AppendUint64(b, uint64(s))
		}
		return b
	})
	t.flush()
}

// queue adds a frame for a peer.
func (t *transport) queue(to uint64, kind byte, body func(b []byte) []byte) {
	p := t.peer(to)
	if p == nil {
		return
	}
	frame := func(b []byte) []byte {
		if len(b) > queueMax {
			return b
		}
		start := len(b)
		b = body(append(b, 0, 0, 0, 0, kind))
		binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
		return b
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out != nil {
		p.out.Put(frame)
		return
	}
	p.waiting = frame(p.waiting)
}

// flush sends what is queued.
func (t *transport) flush() {
	t.mu.Lock()
	peers := slices.AppendSeq(make([]*peer, 0, 8), maps.Values(t.peers))
	t.mu.Unlock()
	for _, p := range peers {
		p.mu.Lock()
		out := p.out
		p.mu.Unlock()
		if out != nil {
			out.Flush()
		}
	}
}

// connected has what is queued go to out, nil if there is no connection any more. It returns what waited for one.
func (p *peer) connected(out *socket.Out) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.waiting
	p.out, p.waiting = out, nil
	if out != nil {
		out.Put(func(b []byte) []byte { return append(b, waiting...) })
	}
	return waiting
}

func (t *transport) dial(ctx context.Context, p *peer) (net.Conn, error) {
	d := net.Dialer{Timeout: time.Second}
	conn, err := d.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, err
	}
	hello := append(make([]byte, 0, helloSize), helloMagic...)
	hello = binary.BigEndian.AppendUint64(hello, t.id)
	hello = binary.BigEndian.AppendUint64(hello, p.id)
	hello = binary.BigEndian.AppendUint64(hello, t.to.lastIndex())
	t.mu.Lock()
	hello = binary.BigEndian.AppendUint16(hello, uint16(len(t.addr)))
	hello = append(hello, t.addr...)
	t.mu.Unlock()
	if _, err := conn.Write(hello); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// send keeps a connection to a peer and writes what is queued for it.
func (t *transport) send(ctx context.Context, p *peer) {
	for ctx.Err() == nil {
		conn, err := t.dial(ctx, p)
		if err != nil {
			if len(p.connected(nil)) > 0 {
				t.to.unreachable(p.id)
			}
			select {
			case <-time.After(redial):
			case <-ctx.Done():
			}
			continue
		}
		t.to.peerUp(p.id)
		err = t.stream(ctx, p, conn)
		conn.Close()
		t.to.peerLost(p.id)
		if ctx.Err() == nil {
			t.log.Debug("connection to peer lost", "peer", p.id, "err", err)
		}
	}
}

// stream has what is queued go to conn until that ends.
func (t *transport) stream(ctx context.Context, p *peer, conn net.Conn) error {
	out := socket.NewOut(conn, writeLimit)
	stop := context.AfterFunc(ctx, out.Close)
	defer stop()
	p.connected(out)
	defer p.connected(nil)
	out.Flush()
	conn.Read(make([]byte, 1)) // a peer never answers: this returns when it has gone
	out.Close()
	return out.Err()
}

// receive reads what one peer sends.
func (t *transport) receive(ctx context.Context, conn net.Conn) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(writeLimit))
	hello := make([]byte, helloSize)
	if _, err := io.ReadFull(conn, hello); err != nil {
		return nil // a probe
	}
	ids := hello[len(helloMagic):]
	from, to, last := binary.BigEndian.Uint64(ids), binary.BigEndian.Uint64(ids[8:]), binary.BigEndian.Uint64(ids[16:])
	switch {
	case string(hello[:len(helloMagic)]) != helloMagic:
		return errors.New("not a coordinator, or one of another version")
	case to != t.id:
		return fmt.Errorf("coordinator %d takes this node, which is %d, for %d: the server lines of their configurations differ", from, t.id, to)
	case from == t.id || from == 0:
		return fmt.Errorf("another coordinator has the number %d of this node: give one of them another myid", from)
	}
	addr := make([]byte, binary.BigEndian.Uint16(ids[24:]))
	if _, err := io.ReadFull(conn, addr); err != nil {
		return nil
	}
	conn.SetReadDeadline(time.Time{})
	p := t.welcome(from, string(addr))
	t.to.greeted(from, last)
	p.inbound.Add(1)
	defer func() {
		if p.inbound.Add(-1) == 0 {
			t.gone(p)
			t.to.peerDown(from)
		}
	}()
	in := t.come(conn)
	defer t.left(in)
	r := bufio.NewReaderSize(conn, 32<<10)
	for {
		kind, body, err := readFrame(r)
		in.busy.Store(true)
		if err != nil {
			if errors.Is(err, errFrame) {
				return err
			}
			return nil
		}
		switch kind {
		case frameMessage:
			m := &raftpb.Message{}
			if err := proto.Unmarshal(body, m); err != nil || m.GetFrom() != from || m.GetType() == raftpb.MsgSnap {
				return fmt.Errorf("unreadable message of coordinator %d", from)
			}
			t.to.received(m)
		case frameFile:
			t.left(in) // it carries nothing else, and may take long
			if err := t.receiveSnapshot(r, from, body); err != nil {
				return err
			}
		case frameTouched:
			ids := make([]int64, len(body)/8)
			for i := range ids {
				ids[i] = int64(binary.BigEndian.Uint64(body[8*i:]))
			}
			t.to.touched(ids)
		default:
			return fmt.Errorf("frame of unknown kind %d", kind)
		}
		if !buffered(r) {
			in.pause()
			t.to.wake()
		}
	}
}

// buffered says whether the next frame is here.
func buffered(r *bufio.Reader) bool {
	if r.Buffered() < 4 {
		return false
	}
	head, _ := r.Peek(4)
	return uint32(r.Buffered()-4) >= binary.BigEndian.Uint32(head)
}

var errFrame = errors.New("malformed frame")

// readFrame reads a frame into memory of its own.
func readFrame(r *bufio.Reader) (kind byte, body []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 1 || n > frameMax {
		return 0, nil, errFrame
	}
	if n <= 64<<10 {
		body = make([]byte, n)
		_, err = io.ReadFull(r, body)
	} else { // grow as the bytes arrive: a length alone must not make this node allocate
		body, err = io.ReadAll(io.LimitReader(r, int64(n)))
		if err == nil && len(body) < int(n) {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil {
		return 0, nil, err
	}
	return body[0], body[1:], nil
}
