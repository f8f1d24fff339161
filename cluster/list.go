package cluster

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Presence says whether a cluster runs.
type Presence string

// What a cluster can be.
const (
	Up           Presence = "up"
	Down         Presence = "down"
	Unsupervised Presence = "unsupervised" // its supervisor died; the next command starts another, which adopts the nodes
	Broken       Presence = "broken"       // its cluster.yaml cannot be read
)

// Summary is one cluster of this user.
type Summary struct {
	Name     string   `json:"name"`
	Presence Presence `json:"presence"`
	Status   Status   `json:"status"` // its Problem says what is broken
}

// List looks at all clusters below stateDir, by name. It starts nothing.
func List(ctx context.Context, stateDir string) ([]Summary, error) {
	all, err := names(stateDir)
	if err != nil {
		return nil, err
	}
	summaries := make([]Summary, len(all))
	for i, name := range all {
		summaries[i] = summarize(ctx, filepath.Join(stateDir, name))
	}
	return summaries, nil
}

func summarize(ctx context.Context, dir string) Summary {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	c := newClient(dir)
	s := Summary{Name: c.name, Presence: Down, Status: c.Idle()}
	if _, err := c.Spec(); err != nil {
		s.Presence = Broken
		return s
	}
	s.Status.Problem = ""
	r, running, err := readRun(dir)
	switch {
	case err != nil:
		s.Presence, s.Status.Problem = Broken, err.Error()
		return s
	case !running:
		return s
	}
	c.passive = true
	status, err := c.Status(ctx)
	switch {
	case err == nil:
		s.Presence, s.Status = Up, status
	case deserted(err):
		s.Presence = Unsupervised
		for i := range s.Status.Nodes {
			n := &s.Status.Nodes[i]
			if l := r.Nodes[n.Name]; l.Process.alive() {
				n.State, n.PID, n.Started = l.State, l.Process.PID, l.Started
			}
		}
	default:
		s.Presence, s.Status.Problem = Broken, err.Error()
	}
	return s
}

// deserted says whether a request failed because no supervisor listens, or the one that did died over it.
func deserted(err error) bool {
	return slices.ContainsFunc([]error{
		fs.ErrNotExist, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF,
	}, func(is error) bool { return errors.Is(err, is) })
}
