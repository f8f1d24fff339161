package cmd

import (
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"kdrill/cluster"
)

// progress shows how nodes change their state: on a terminal one line a node that is redrawn, elsewhere one line a change.
type progress struct {
	out   io.Writer
	width int // of the terminal, 0 if it is none
	began time.Time
	lines int // drawn last
	seen  map[string]cluster.State
}

func newProgress(out io.Writer) *progress {
	width := 0
	if f, ok := out.(*os.File); ok {
		width, _, _ = term.GetSize(int(f.Fd())) // 0 where it is none
	}
	return &progress{out: out, width: width, began: time.Now(), seen: map[string]cluster.State{}}
}

func (p *progress) draw(s cluster.Status) {
	changed := false
	for _, n := range s.Nodes {
		changed = changed || p.seen[n.Name] != n.State
	}
	if !changed {
		return
	}
	if p.width > 0 && p.lines > 0 {
		fmt.Fprintf(p.out, "\x1b[%dA", p.lines)
	}
	for _, n := range s.Nodes {
		if p.width > 0 || p.seen[n.Name] != n.State {
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
	line := fmt.Sprintf("%6.2f s  %-14s %-8s  %s", time.Since(p.began).Seconds(), n.Name, n.State, detail)
	if p.width > 0 { // a line that wraps could not be redrawn
		line = string([]rune(line)[:min(p.width-1, utf8.RuneCountInString(line))]) + "\x1b[K"
	}
	fmt.Fprintln(p.out, line)
}
