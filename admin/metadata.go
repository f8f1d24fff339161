package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// endpoint is where a broker listens and when it answered last.
type endpoint struct {
	addr     string
	answered time.Time
}

// learn remembers where the brokers of a metadata answer listen.
func (p *peers) learn(resp *kmsg.MetadataResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range resp.Brokers {
		e := p.known[b.NodeID]
		e.addr = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
		p.known[b.NodeID] = e
	}
}

// note remembers that the broker at addr answered or failed.
func (p *peers) note(addr string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, e := range p.known {
		if e.addr == addr {
			e.answered = time.Time{}
			if ok {
				e.answered = time.Now()
			}
			p.known[id] = e
		}
	}
}

// addr is where a broker listens, empty if that is unknown.
func (p *peers) addr(id int32) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.known[id].addr
}

// addrs lists whom to ask what anybody can answer: whoever answered last comes first, then the bootstrap list.
func (p *peers) addrs() []string {
	p.mu.Lock()
	known := make([]endpoint, 0, len(p.known))
	for _, e := range p.known {
		known = append(known, e)
	}
	p.mu.Unlock()
	slices.SortFunc(known, func(a, b endpoint) int {
		if c := b.answered.Compare(a.answered); c != 0 {
			return c
		}
		return strings.Compare(a.addr, b.addr)
	})
	var addrs []string
	for _, e := range known {
		addrs = append(addrs, e.addr)
	}
	for _, b := range p.bootstrap {
		if !slices.Contains(addrs, b) {
			addrs = append(addrs, b)
		}
	}
	return addrs
}

// metadata asks for the brokers, the controller and topics: all of them if topics is nil.
func (p *peers) metadata(ctx context.Context, topics []string) (*kmsg.MetadataResponse, error) {
	request := func() kmsg.Request {
		req := kmsg.NewPtrMetadataRequest()
		if topics != nil {
			req.Topics = []kmsg.MetadataRequestTopic{}
		}
		for _, t := range topics {
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = kmsg.StringPtr(t)
			req.Topics = append(req.Topics, topic)
		}
		return req
	}
	resp, err := p.askAny(ctx, p.addrs(), request, func(r kmsg.Response) error {
		if len(r.(*kmsg.MetadataResponse).Brokers) == 0 {
			return errNotJoined
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	meta := resp.(*kmsg.MetadataResponse)
	p.learn(meta)
	return meta, nil
}

// errNotJoined is what there is to say of a broker that the controller has told nothing yet.
var errNotJoined = errors.New("a broker that answers has not joined the cluster yet: try again in a moment")

// unreachable says what to do when no broker answers.
func unreachable(bootstrap []string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("no broker of %s answers (%w): start the cluster, or name another with --bootstrap-server", strings.Join(bootstrap, ","), err)
}

// protocolError turns an error code and the broker's own words into an error, nil for no error.
func protocolError(code int16, message *string) error {
	err := kerr.ErrorForCode(code)
	if err == nil {
		return nil
	}
	if message != nil && *message != "" {
		return &refusedError{err: err, message: *message}
	}
	return err
}

// refusedError is a protocol error with what the broker said about it.
type refusedError struct {
	err     error
	message string
}

func (e *refusedError) Error() string { return strings.TrimSuffix(e.message, ".") }
func (e *refusedError) Unwrap() error { return e.err }
