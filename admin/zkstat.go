package admin

import (
	"context"
	"errors"
	"time"

	"kdrill/admin/ensemble"
)

// askCoordinator asks a ZooKeeper node how it is, with details if somebody wants to know.
func askCoordinator(ctx context.Context, prober *ensemble.Prober, address string, details bool, limit time.Duration) (Coordinator, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s, err := prober.Server(ctx, address, details)
	hidden := ""
	if refused, ok := errors.AsType[*ensemble.NotAllowedError](err); ok {
		if s.Role == "" {
			return Coordinator{}, refused
		}
		hidden = refused.Error()
	} else if err != nil {
		return Coordinator{}, silent(address, limit, err)
	}
	c := Coordinator{
		Address: address, Role: s.Role, Version: s.Version, Zxid: s.Zxid, Connections: s.Connections, Outstanding: s.Outstanding,
		Znodes: s.Znodes, LatencyAvg: s.LatencyAvg, Answered: time.Now(),
	}
	if details {
		c.Details = &CoordinatorDetails{
			LatencyMin: s.LatencyMin, LatencyMax: s.LatencyMax, Received: s.Received, Sent: s.Sent, Learners: s.Learners, Synced: s.Synced,
			Watches: s.Watches, Ephemerals: s.Ephemerals, DataBytes: s.DataBytes, Uptime: s.Uptime, Hidden: hidden,
		}
	}
	return c, nil
}

// silent is the error of a node that does not answer, or answers that it does not serve.
func silent(address string, limit time.Duration, err error) error {
	if errors.Is(err, ensemble.ErrNoQuorum) || errors.Is(err, ensemble.ErrSilent) {
		return err
	}
	return &unansweredError{addr: address, limit: limit, err: err}
}

// applyCoordinator takes in one answer, or why there is none. What a silent node said last stays.
func (w *world) applyCoordinator(address string, c Coordinator, err error) {
	for i := range w.coordinators {
		known := &w.coordinators[i]
		switch {
		case known.Address != address:
		case err != nil:
			known.Error, known.Role = reasonOf(err), ""
		default:
			if c.Details == nil { // nobody asked for them
				c.Details = known.Details
			}
			*known = c
			if w.bare { // nobody else says how things are
				w.topicsAt = c.Answered
			}
		}
	}
}

// reasonOf says why somebody did not answer, without repeating who.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*unansweredError](err); ok {
		return e.reason()
	}
	return err.Error()
}
