package wire

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// mostUnderWay bounds the produce requests of one connection that wait for their acks. Clients have five by default.
const mostUnderWay = 32

// Later says that a request is carried out, but what to answer is not known before wait returns. A handler that calls it
// returns nil. Until then the connection may serve further Produce requests, and nothing else: replies keep the order of
// the requests, and only Produce says what it wants in advance.
func (r *Request) Later(wait func() kmsg.Response) { r.later = wait }

// Amend changes the answer that a handler returned, or the one that it will have later.
func (r *Request) Amend(now kmsg.Response, change func(kmsg.Response)) kmsg.Response {
	if wait := r.later; wait != nil {
		r.later = func() kmsg.Response {
			answer := wait()
			change(answer)
			return answer
		}
		return nil
	}
	if now != nil {
		change(now)
	}
	return now
}

// Written calls done with the response when it has been written, or cannot be, or with nil when none is sent.
func (r *Request) Written(done func(kmsg.Response)) { r.written = append(r.written, done) }

func (r *Request) done(response kmsg.Response) {
	r.Times.Sent = time.Now()
	for _, done := range r.written {
		done(response)
	}
}

// underWay are the requests of one connection that are carried out and not answered. A goroutine, started with the first
// of them, answers one after the other.
type underWay struct {
	c     *served
	queue chan *Request
	left  sync.WaitGroup // requests in queue, or being answered
	ended sync.WaitGroup
}

func (u *underWay) add(r *Request) {
	if u.queue == nil {
		u.queue = make(chan *Request, mostUnderWay)
		u.ended.Go(u.run)
	}
	u.left.Add(1)
	u.queue <- r
}

// drain waits until all are answered: the connection's buffer for replies is the caller's from then on.
func (u *underWay) drain() {
	if u.queue != nil {
		u.left.Wait()
	}
}

// close ends the goroutine, when it is done.
func (u *underWay) close() {
	if u.queue != nil {
		close(u.queue)
		u.ended.Wait()
	}
}

func (u *underWay) run() {
	for r := range u.queue {
		u.one(r)
	}
}

func (u *underWay) one(r *Request) {
	defer u.left.Done()
	var response kmsg.Response
	defer func() { r.done(response) }()
	defer func() {
		if p := recover(); p != nil {
			u.c.Log.Error("handler failed, connection closed", "client", u.c.conn.RemoteAddr(), "panic", p, "stack", string(debug.Stack()))
			u.c.conn.Close()
		}
	}()
	response = r.later()
	r.Times.Known = time.Now()
	r.Times.Turn = r.Times.Known // this goroutine has answered those before
	response.SetVersion(r.Version)
	if err := u.c.reply(r.CorrelationID, response); err != nil {
		u.c.Log.Debug("connection ended", "client", u.c.conn.RemoteAddr(), "err", fmt.Errorf("reply: %w", err))
		u.c.conn.Close() // ends the reader, too
	}
}
