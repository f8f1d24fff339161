package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// askCoordinator sends the four-letter word srvr and reads the answer.
func askCoordinator(ctx context.Context, address string, limit time.Duration) (Coordinator, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	unanswered := func(err error) (Coordinator, error) {
		return Coordinator{}, &unansweredError{addr: address, limit: limit, err: err}
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return unanswered(err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		return unanswered(err)
	}
	text, err := io.ReadAll(io.LimitReader(conn, 64<<10))
	if err != nil && !(errors.Is(err, syscall.ECONNRESET) && len(text) > 0) {
		return unanswered(err)
	}
	c, err := parseServer(string(text))
	if err != nil {
		return Coordinator{}, err
	}
	c.Address, c.Answered = address, time.Now()
	return c, nil
}

// parseServer reads an answer to srvr: Apache's, of every version, and ours.
func parseServer(text string) (Coordinator, error) {
	if strings.Contains(text, "is not executed because it is not in the whitelist") {
		return Coordinator{}, errors.New("does not allow srvr: add it to 4lw.commands.whitelist")
	}
	c := Coordinator{Zxid: -1}
	serves := false
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		switch name {
		case "Zookeeper version":
			c.Version, _, _ = strings.Cut(value, ",")
			c.Version, _, _ = strings.Cut(c.Version, "-")
		case "Latency min/avg/max":
			if parts := strings.Split(value, "/"); len(parts) == 3 {
				c.LatencyAvg, _ = strconv.ParseFloat(parts[1], 64)
			}
		case "Connections":
			c.Connections, _ = strconv.Atoi(value)
		case "Outstanding":
			c.Outstanding, _ = strconv.Atoi(value)
		case "Zxid":
			if zxid, err := strconv.ParseInt(value, 0, 64); err == nil {
				c.Zxid = zxid
			}
		case "Mode":
			c.Role, serves = value, true
		case "Node count":
			c.Znodes, _ = strconv.Atoi(value)
		}
	}
	if !serves {
		return c, errors.New("does not serve: it has no quorum")
	}
	return c, nil
}

// applyCoordinator takes in one answer, or why there is none.
func (w *world) applyCoordinator(address string, c Coordinator, err error) {
	for i := range w.coordinators {
		known := &w.coordinators[i]
		switch {
		case known.Address != address:
		case err != nil:
			known.Error, known.Role = reasonOf(err), ""
		default:
			*known = c
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
