package tui

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin/records"
	"kdrill/tui/ui"
)

var errNoLogs = errors.New("kdrill did not start this node: its log is not here")

// tail starts reading a topic. Batches come conflated from the tail: a screen that
// is slow sees the newest.
func (c *commands) tail(name string, spec records.Spec) tea.Cmd {
	c.untail(name)
	if c.kafka == nil {
		return ui.Wish(ui.Batch{Name: name, Err: errNoCluster})
	}
	ctx := c.begin(c.tails, name)
	return func() tea.Msg {
		t, err := c.kafka.Tail(ctx, spec)
		if err != nil {
			return ui.Batch{Name: name, Err: err}
		}
		ended := make(chan error, 1)
		c.ending.Go(func() { ended <- t.Run(ctx) })
		for b := range t.Batches() {
			if ctx.Err() != nil {
				continue
			}
			c.send(ui.Batch{Name: name, Batch: b})
			rest(ctx, 3*frame)
		}
		if err := <-ended; err != nil && ctx.Err() == nil {
			return ui.Batch{Name: name, Err: err}
		}
		return nil
	}
}

// frame is the time between two messages of a stream: more than the terminal draws would be lost anyway.
const frame = 33 * time.Millisecond

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (c *commands) untail(name string) { c.end(c.tails, name) }

// begin makes the context of a stream; the one of the same name ends.
func (c *commands) begin(streams map[string]context.CancelFunc, name string) context.Context {
	c.end(streams, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithCancel(c.ctx)
	streams[name] = cancel
	return ctx
}

func (c *commands) end(streams map[string]context.CancelFunc, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel, ok := streams[name]; ok {
		cancel()
		delete(streams, name)
	}
}

// logLines is how much of a log is read before following it.
const logLines = 1000

// readLog follows the log of a node.
func (c *commands) readLog(node string) tea.Cmd {
	if c.nodes == nil {
		return ui.Wish(ui.LogLines{Node: node, Err: errNoLogs})
	}
	ctx := c.begin(c.logs, node)
	lines := make(chan string, 256)
	ended := make(chan error, 1)
	c.ending.Go(func() {
		defer close(lines)
		for line, err := range c.nodes.Log(ctx, node, logLines, true) {
			if err != nil {
				ended <- err
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() tea.Msg {
		for batch := range batches(ctx, lines) {
			c.send(ui.LogLines{Node: node, Lines: batch})
		}
		select {
		case err := <-ended:
			return ui.LogLines{Node: node, Err: err}
		default:
			return nil
		}
	}
}

func (c *commands) unread(node string) { c.end(c.logs, node) }

// batches gathers what comes within a frame.
func batches(ctx context.Context, lines <-chan string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for first := range lines {
			batch := []string{first}
			full := time.After(frame)
		gather:
			for {
				select {
				case line, ok := <-lines:
					if !ok {
						break gather
					}
					batch = append(batch, line)
				case <-full:
					break gather
				case <-ctx.Done():
					return
				}
			}
			if !yield(batch) {
				return
			}
		}
	}
}
