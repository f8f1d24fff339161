package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
)

// rollEvery is how often a rolling restart asks whether it may go on.
const rollEvery = 200 * time.Millisecond

// rejoined waits until a node that was restarted has caught up, so that the next can be taken without anybody missing
// both. It shows what it waits for, and gives up after timeout.
func (a *app) rejoined(ctx context.Context, status cluster.Status, n cluster.NodeStatus, left int, timeout time.Duration) error {
	if n.Role == cluster.Coordinator {
		return nil // it serves, so it follows its quorum
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(rollEvery)
	defer tick.Stop()
	var last []string
	var trouble error
	for said := ""; ; {
		behind, err := behindOnce(limited, status, n)
		switch {
		case err == nil && len(behind) == 0:
			return nil
		case err == nil:
			last, trouble = behind, nil
			if now := summary(behind); now != said {
				said = now
				fmt.Fprintf(a.err, "waiting for %s to catch up: %s\n", n.Name, now)
			}
		case limited.Err() == nil:
			trouble = err
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			return stalled(ctx, n, left, timeout, last, trouble)
		}
	}
}

func behindOnce(ctx context.Context, status cluster.Status, n cluster.NodeStatus) ([]string, error) {
	client, err := admin.Dial(ctx, localConfig(status))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Behind(ctx, int32(n.ID))
}

// stalled says why a rolling restart ends before its last node.
func stalled(ctx context.Context, n cluster.NodeStatus, left int, timeout time.Duration, behind []string, trouble error) error {
	rest := fmt.Sprintf("the other %s not restarted", map[bool]string{true: "node was", false: fmt.Sprintf("%d nodes were", left)}[left == 1])
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted: " + rest)
	case trouble != nil && len(behind) == 0:
		return fmt.Errorf("%s: whether %s has caught up is not known after %s: %w", rest, n.Name, timeout, trouble)
	case len(behind) == 0:
		return fmt.Errorf("%s: whether %s has caught up is not known after %s: kdrill topics shows what is under-replicated", rest, n.Name, timeout)
	}
	return fmt.Errorf("%s: %s has not caught up after %s, it is out of %s: see kdrill logs %s, and go on once kdrill topics shows nothing under-replicated",
		rest, n.Name, timeout, summary(behind), n.Name)
}

// summary names a few of many.
func summary(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
