package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"kdrill/cluster"
)

// This file holds what the commands for local clusters share.

// openLocal returns the client of the local cluster that --cluster names.
func (a *app) openLocal() (*cluster.Client, error) {
	if len(a.bootstrap) > 0 || a.zookeeper != "" {
		return nil, usagef("this command works on local clusters only: leave out --bootstrap-server and --zookeeper")
	}
	if err := cluster.CheckName(a.cluster); err != nil {
		return nil, usageError{err}
	}
	stateDir, err := cluster.StateDir()
	if err != nil {
		return nil, err
	}
	client, err := cluster.Open(stateDir, a.cluster)
	if err != nil && !errors.Is(err, cluster.ErrNotFound) {
		return nil, usageError{err} // its cluster.yaml is wrong
	}
	return client, a.advise(err)
}

// advise adds what to do to an error about a cluster.
func (a *app) advise(err error) error {
	start := "kdrill up"
	if a.cluster != cluster.DefaultName {
		start += " --cluster " + a.cluster
	}
	switch {
	case errors.Is(err, cluster.ErrNotFound):
		return absent{fmt.Sprintf("there is no cluster %s: start it with %s", a.cluster, start), err}
	case errors.Is(err, cluster.ErrDown):
		return absent{fmt.Sprintf("cluster %s is down: start it with %s", a.cluster, start), err}
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	}
	return err
}

// absent says what to do about a cluster that is not there.
type absent struct {
	text string
	err  error
}

func (e absent) Error() string { return e.text }
func (e absent) Unwrap() error { return e.err }

// terminal says whether a stream is a terminal.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

var errDeclined = errors.New("nothing was done")

// asks says whether there is somebody to ask.
func (a *app) asks(yes bool) bool { return !yes && terminal(a.in) && terminal(a.err) }

// confirm asks on a terminal; without one, or with --yes, the answer is yes.
func (a *app) confirm(ctx context.Context, yes bool, question string) error {
	if !a.asks(yes) {
		return nil
	}
	fmt.Fprintf(a.err, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // a read of a terminal cannot be interrupted
		line, err := bufio.NewReader(a.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			line = ""
		}
		answer <- line
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.err)
		return errDeclined
	case line := <-answer:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
		return errDeclined
	}
}
