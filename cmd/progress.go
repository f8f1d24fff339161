package cmd

import (
	"fmt"
	"io"
	"time"

	"kdrill/cluster"
)

// progress shows how nodes change their state: on a terminal one line a node that is redrawn, elsewhere one line a change.
type progress struct {
	out   io.Writer
	live  bool
	began time.Time
	lines int // drawn last
	seen  map[string]cluster.State
}

func newProgress(out io.Writer) *progress {
	return &progress{out: out, live: terminal(out), began: time.Now(), seen: map[string]cluster.State{}}
}

func (p *progress) draw(s cluster.Status) {
	changed := false
	for _, n := range s.Nodes {
		changed = changed || p.seen[n.Name] != n.State
	}
	if !changed {
		return
	}
	if p.live && p.lines > 0 {
		fmt.Fprintf(p.out, "\x1b[%dA", p.lines)
	}
	for _, n := range s.Nodes {
		if p.live || p.seen[n.Name] != n.State {
			p.line(n)
		}
		p.seen[n.Name] = n.State
	}
	p.lines = len(s.Nodes)
}

func (p *progress) line(n cluster.NodeStatus) {
	detail := n.Address
	if n.Reason != "" {
		detail = n.Reason
	}
	end := "\n"
	if p.live {
		end = "\x1b[K\n"
	}
	fmt.Fprintf(p.out, "%6.2f s  %-14s %-8s  %s%s", time.Since(p.began).Seconds(), n.Name, n.State, detail, end)
}
