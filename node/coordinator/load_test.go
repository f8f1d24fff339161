package coordinator

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

// benchClient is as little of a client as possible, since it shares the processors with what it measures.
type benchClient struct {
	net.Conn
	r       *bufio.Reader
	request proto.Encoder
	reply   []byte
}

func connectBench(addr string) (*benchClient, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &benchClient{Conn: conn, r: bufio.NewReaderSize(conn, 1<<10)}
	conn.SetDeadline(time.Now().Add(time.Minute))
	hello := connectRequest(30*time.Second, 0, make([]byte, 16), 0)
	conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(hello))), hello...))
	if err := c.read(); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// read reads one frame into reply.
func (c *benchClient) read() error {
	head, err := c.r.Peek(4)
	if err != nil {
		return err
	}
	n := int(binary.BigEndian.Uint32(head))
	c.r.Discard(4)
	c.reply = slices.Grow(c.reply[:0], n)[:n]
	_, err = io.ReadFull(c.r, c.reply)
	return err
}

// do sends one request and waits for its reply.
func (c *benchClient) do(op operation, client, n int) (time.Duration, error) {
	c.request.B = append(c.request.B[:0], 0, 0, 0, 0)
	c.request.Int(int32(n))
	c.request.Int(int32(op.op))
	op.body(&c.request, client, n)
	binary.BigEndian.PutUint32(c.request.B, uint32(len(c.request.B)-4))
	began := time.Now()
	if _, err := c.Write(c.request.B); err != nil {
		return 0, err
	}
	if err := c.read(); err != nil {
		return 0, err
	}
	took := time.Since(began)
	if code := int32(binary.BigEndian.Uint32(c.reply[12:])); code != 0 {
		return 0, fmt.Errorf("%s: error %d", op.name, code)
	}
	return took, nil
}

// load has clients repeat op for a while and returns how long each took. The first is at the node of that turn: the
// leader, a follower, the other one.
func (s *side) load(b *testing.B, op operation, clients, turn int, last time.Duration) []time.Duration {
	b.Helper()
	nodes := s.byRole()
	conns := make([]*benchClient, clients)
	for i := range conns {
		conns[i] = must[*benchClient](b)(connectBench(nodes[(turn+i)%3].client))
	}
	took := make([][]time.Duration, clients)
	var wg sync.WaitGroup
	end := time.Now().Add(last)
	for i, c := range conns {
		wg.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				d, err := c.do(op, i, n)
				if err != nil {
					b.Errorf("%s: %v", s.name, err)
					return
				}
				took[i] = append(took[i], d)
			}
		})
	}
	wg.Wait()
	for i, c := range conns {
		if op.op == proto.OpCreate {
			c.remove(b, i, len(took[i]))
		}
		c.Close()
	}
	return slices.Concat(took...)
}

// byRole returns the nodes, the leader first.
func (e *ensemble) byRole() []*process {
	leader := e.leader()
	nodes := []*process{leader}
	for _, p := range e.nodes {
		if p != leader {
			nodes = append(nodes, p)
		}
	}
	return nodes
}

// remove deletes the znodes that a client has created, so that the tree is as large for every turn.
func (c *benchClient) remove(b *testing.B, client, count int) {
	const batch = 500
	for first := 0; first < count; first += batch {
		_, err := c.do(operation{"multi", proto.OpMulti, func(e *proto.Encoder, client, _ int) {
			for n := first; n < min(first+batch, count); n++ {
				proto.MultiHeader{Op: proto.OpDelete}.Encode(e)
				e.String(fmt.Sprintf("/bench/%d/n%d", client, n))
				e.Int(-1)
			}
			proto.MultiEnd.Encode(e)
		}}, client, 0)
		if err != nil {
			b.Fatal(err)
		}
	}
}

// load measures one point: each side has a turn of half a second a round.
func (t *rows) load(what string, b *testing.B, sides []*side, op operation, clients int) {
	const turnTime = 500 * time.Millisecond
	took := make([][]time.Duration, len(sides))
	turns := 0
	for b.Loop() {
		for i, s := range sides {
			took[i] = append(took[i], s.load(b, op, clients, turns, turnTime)...)
		}
		turns++
	}
	point := func(row string, way better, of func(took []time.Duration) float64) {
		t.add(what+": "+row, []float64{of(took[0]), of(took[1])}, way)
	}
	for i := range took {
		slices.Sort(took[i])
	}
	point("a second", more, func(took []time.Duration) float64 {
		return float64(len(took)) / float64(turns) / turnTime.Seconds()
	})
	point("p50, ms", less, func(took []time.Duration) float64 { return ms(percentile(took, 50)) })
	point("p99, ms", less, func(took []time.Duration) float64 { return ms(percentile(took, 99)) })
	b.ReportMetric(0, "ns/op")
}

// percentile of durations that are sorted.
func percentile(took []time.Duration, p int) time.Duration { return took[(len(took)-1)*p/100] }
