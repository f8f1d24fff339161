package tui

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin/znodes"
	"kdrill/tui/ui"
)

var errNoZooKeeper = errors.New("no ZooKeeper is known: start kdrill with --zookeeper host:port")

// browsing is the browser of znodes that runs, if one does.
type browsing struct {
	browser Browser
	end     context.CancelFunc
}

// show tells the browser what the screen shows; the first time it starts one. Views come conflated from it: a screen that
// is slow sees the newest.
func (c *commands) show(spec znodes.Spec) tea.Cmd {
	c.mu.Lock()
	running := c.browse.browser
	c.mu.Unlock()
	if running != nil {
		running.Show(spec)
		return nil
	}
	if c.znodes == nil {
		return ui.Wish(ui.Znodes{Err: errNoZooKeeper})
	}
	b, err := c.znodes.Browse(spec)
	if err != nil {
		return ui.Wish(ui.Znodes{Err: err})
	}
	ctx, cancel := context.WithCancel(c.ctx)
	c.mu.Lock()
	c.browse = browsing{b, cancel}
	c.mu.Unlock()
	c.ending.Go(func() { _ = b.Run(ctx) })
	return func() tea.Msg {
		for v := range b.Views() {
			if ctx.Err() == nil {
				c.send(ui.Znodes{View: v})
				rest(ctx, frame)
			}
		}
		return nil
	}
}

// unshow ends the browser.
func (c *commands) unshow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.browse.end != nil {
		c.browse.end()
	}
	c.browse = browsing{}
}

// countZnodes asks how large a subtree is.
func (c *commands) countZnodes(path string) tea.Cmd {
	return func() tea.Msg {
		if c.znodes == nil {
			return ui.Subtree{Path: path, Err: errNoZooKeeper}
		}
		ctx, cancel := context.WithTimeout(c.ctx, deedTimeout)
		defer cancel()
		n, whole, err := c.znodes.Subtree(ctx, path)
		return ui.Subtree{Path: path, Count: n, Whole: whole, Err: err}
	}
}

// znodeTimeout is how long a deed on one znode may take.
const znodeTimeout = 10 * time.Second

// znode does a deed on znodes; known is false for other deeds.
func (c *commands) znode(ctx context.Context, d ui.Deed) (result string, known bool, err error) {
	switch d.(type) {
	case ui.CreateZnode, ui.SetZnode, ui.DeleteZnode:
	default:
		return "", false, nil
	}
	if c.znodes == nil {
		return "", true, errNoZooKeeper
	}
	if d, ok := d.(ui.DeleteZnode); !ok || !d.Recursive {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, znodeTimeout)
		defer cancel()
	}
	switch d := d.(type) {
	case ui.CreateZnode:
		created, err := c.znodes.CreateZnode(ctx, d.Path, []byte(d.Data), d.Sequential)
		return created + " created.", true, err
	case ui.SetZnode:
		return "Data of " + d.Path + " replaced.", true, c.znodes.SetZnode(ctx, d.Path, []byte(d.Data), d.Version)
	case ui.DeleteZnode:
		n, err := c.znodes.DeleteZnode(ctx, d.Path, d.Version, d.Recursive)
		return d.Path + " deleted, " + ui.Plural(n, "znode") + " in all.", true, err
	}
	return "", true, nil
}
