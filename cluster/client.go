package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Client speaks to the supervisor of one cluster. A supervisor that has died is started again by the next call and
// adopts the nodes; one that was taken down is not: calls then return [ErrDown].
//
// A Client is safe for concurrent use and holds no connection between calls.
type Client struct {
	name    string
	dir     string
	http    *http.Client
	passive bool // starts no supervisor
}

// Open returns a client for the cluster called name below stateDir, [ErrNotFound] if there is none.
func Open(stateDir, name string) (*Client, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	dir := filepath.Join(stateDir, name)
	if _, err := readSpec(dir); err != nil {
		// Its supervisor has read the spec when it was right: what runs can be seen and taken down.
		if _, runs, _ := readRun(dir); !runs || errors.Is(err, ErrNotFound) {
			return nil, err
		}
	}
	return newClient(dir), nil
}

// Create describes a new cluster below stateDir; nothing runs yet. [ErrExists] if there is one of that name.
func Create(stateDir string, s Spec) (*Client, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	dir := filepath.Join(stateDir, s.Name)
	if _, err := os.Stat(filepath.Join(dir, specFile)); err == nil {
		return nil, fmt.Errorf("%w: %s", ErrExists, s.Name)
	}
	if err := preflight(context.Background(), stateDir, &s, s.Nodes); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := writeSpec(dir, s); err != nil {
		return nil, err
	}
	return newClient(dir), nil
}

func newClient(dir string) *Client {
	c := &Client{name: filepath.Base(dir), dir: dir}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
		DisableKeepAlives: true,
	}}
	return c
}

// Name is the cluster's name.
func (c *Client) Name() string { return c.name }

// Directory holds everything the cluster has on disk.
func (c *Client) Directory() string { return c.dir }

// Spec reads what the cluster consists of.
func (c *Client) Spec() (Spec, error) { return readSpec(c.dir) }

// Status asks for the state of all nodes.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.call(ctx, http.MethodGet, "/v1/status", nil, &s)
	return s, err
}

// Up starts the supervisor if none runs, and every node that does not run; it returns before they serve. executable is
// the program that supervisor and nodes run: it is copied if it differs from the copy that the cluster has.
func (c *Client) Up(ctx context.Context, executable string) error {
	spec, err := c.Spec()
	if err == nil {
		err = preflight(ctx, filepath.Dir(c.dir), &spec, idle(c.dir, &spec))
	}
	if err != nil {
		return err
	}
	if !c.supervised(ctx) {
		if err := installProgram(c.dir, executable); err != nil {
			return err
		}
		if err := c.launch(ctx); err != nil {
			return err
		}
	}
	return c.call(ctx, http.MethodPost, "/v1/up", nil, nil)
}

// Do does a verb to a node. It returns as soon as the signal is sent or the process is started; [Client.Await] waits for
// what comes of it. by says who asked: "console", "command line", a drill's name.
func (c *Client) Do(ctx context.Context, node string, verb Verb, by string) error {
	path := "/v1/nodes/" + url.PathEscape(node) + "/" + url.PathEscape(string(verb))
	return c.call(ctx, http.MethodPost, path, asked{By: by}, nil)
}

// asked is the body of a request that does something.
type asked struct {
	By string `json:"by"`
}

// Await waits until a node satisfies the condition and returns it.
func (c *Client) Await(ctx context.Context, node string, holds func(NodeStatus) bool) (NodeStatus, error) {
	for s, err := range c.follow(ctx) {
		if err != nil {
			return NodeStatus{}, err
		}
		n, ok := s.Node(node)
		if !ok {
			return NodeStatus{}, fmt.Errorf("cluster %s has no node %q", c.name, node)
		}
		if holds(n) {
			return n, nil
		}
	}
	return NodeStatus{}, errors.Join(ctx.Err(), errors.New("the supervisor ended"))
}

// AddBroker adds a broker to the cluster, starts it and returns its name.
func (c *Client) AddBroker(ctx context.Context, by string) (string, error) {
	spec, err := c.Spec()
	if err == nil {
		err = preflight(ctx, filepath.Dir(c.dir), &spec, []Node{{Role: Broker}})
	}
	if err != nil {
		return "", err
	}
	var n NodeStatus
	err = c.call(ctx, http.MethodPost, "/v1/nodes", asked{By: by}, &n)
	return n.Name, err
}

// Record adds an event to the timeline.
func (c *Client) Record(ctx context.Context, e Event) error {
	return c.call(ctx, http.MethodPost, "/v1/events", e, nil)
}

// Down stops every node, brokers first, then the supervisor, and returns when all of them are gone. What could not be
// stopped is in the error.
func (c *Client) Down(ctx context.Context) error {
	r, ok, err := readRun(c.dir)
	if err != nil {
		return err
	}
	if !ok {
		return c.down()
	}
	if err := c.call(ctx, http.MethodPost, "/v1/down", nil, nil); err != nil {
		return err
	}
	return c.gone(ctx, r)
}

// Purge removes everything the cluster has on disk; it must be down.
func (c *Client) Purge() error {
	if _, ok, err := readRun(c.dir); err != nil || ok {
		return errors.Join(err, fmt.Errorf("cluster %s is up: take it down first", c.name))
	}
	return os.RemoveAll(c.dir)
}

func (c *Client) down() error { return fmt.Errorf("%w: %s", ErrDown, c.name) }

// Watch sends the cluster's status whenever it changes and once a second, the newest only: a slow reader misses what
// lies between. A supervisor that dies is started again; while none answers, the last status comes with its Problem
// set. The channel is closed when ctx ends.
func (c *Client) Watch(ctx context.Context) <-chan Status {
	statuses := make(chan Status, 1)
	send := func(s Status) {
		select {
		case <-statuses: // only this goroutine sends: the place is free then
		default:
		}
		statuses <- s
	}
	go func() {
		defer close(statuses)
		var last Status
		for ctx.Err() == nil {
			for s, err := range c.follow(ctx) {
				if err != nil {
					last.Problem = err.Error()
					if errors.Is(err, ErrDown) {
						last = c.Idle()
					}
					send(last)
					break
				}
				last = s
				send(s)
			}
			pause(ctx, 500*time.Millisecond)
		}
	}()
	return statuses
}

// Idle is the status of the cluster as if it were down: what it consists of, without asking anybody.
func (c *Client) Idle() Status {
	spec, err := c.Spec()
	if err != nil {
		return Status{Name: c.name, Directory: c.dir, Problem: err.Error(), At: time.Now()}
	}
	s := describe(&spec, c.dir, nil)
	s.Problem, s.At = c.down().Error(), time.Now()
	return s
}

func (c *Client) follow(ctx context.Context) iter.Seq2[Status, error] {
	return stream[Status](ctx, c, "/v1/status?follow=1")
}

// Events yields the timeline from its event number from on, the first being 0; a negative number counts from the end.
// With follow it then waits for more, until ctx ends or the cluster goes down. Without, the cluster may be down.
func (c *Client) Events(ctx context.Context, from int, follow bool) iter.Seq2[Event, error] {
	if !follow {
		return readTimeline(filepath.Join(c.dir, timelineFile), from)
	}
	return stream[Event](ctx, c, "/v1/events?follow=1&from="+strconv.Itoa(from))
}

// Log yields the last lines of a node's log, all of them if lines is negative. With follow it then waits for more, until
// ctx ends. It reads the file: the node and its supervisor may be down.
func (c *Client) Log(ctx context.Context, node string, lines int, follow bool) iter.Seq2[string, error] {
	path := filepath.Join(nodeFolder(c.dir, node), logFile)
	if node == SupervisorName {
		path = filepath.Join(c.dir, supervisorLog)
	}
	return tail(ctx, path, lines, follow)
}

// call does one request; in is its body, out what the answer is decoded into.
func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

// request does one request. A question that a dying supervisor did not answer is asked once more, which starts another.
func (c *Client) request(ctx context.Context, method, path string, in any) (*http.Response, error) {
	resp, err := c.send(ctx, method, path, in)
	if method == http.MethodGet && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)) {
		resp, err = c.send(ctx, method, path, in)
	}
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		var problem problem
		if err := json.NewDecoder(resp.Body).Decode(&problem); err != nil {
			return nil, fmt.Errorf("supervisor of %s: %s", c.name, strings.ToLower(resp.Status))
		}
		return nil, errors.New(problem.Error)
	}
	return resp, nil
}

func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if urlError, ok := errors.AsType[*url.Error](err); ok {
		return nil, urlError.Err // its URL means nothing to a user
	}
	return resp, err
}

// problem is the body of an answer that is an error.
type problem struct {
	Error string `json:"error"`
}

// stream yields the JSON lines that the supervisor answers with, until it or ctx ends.
func stream[T any](ctx context.Context, c *Client, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		resp, err := c.request(ctx, http.MethodGet, path, nil)
		if err != nil {
			yield(none, err)
			return
		}
		defer resp.Body.Close()
		for decoder := json.NewDecoder(resp.Body); ; {
			var value T
			if err := decoder.Decode(&value); err != nil {
				if ctx.Err() == nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					yield(none, err)
				}
				return
			}
			if !yield(value, nil) {
				return
			}
		}
	}
}

// pause waits for d, or less if ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
