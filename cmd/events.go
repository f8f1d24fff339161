package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kdrill/admin"
)

// eventsFlags are the flags of events.
type eventsFlags struct {
	follow, internal bool
	last             int
}

// hides leaves out what happens to single partitions of internal topics: one broker has dozens of them.
func (f eventsFlags) hides(e admin.Event) bool {
	return !f.internal && e.Internal()
}

// newEvents prints the timeline.
func newEvents(a *app) *cobra.Command {
	var f eventsFlags
	c := &cobra.Command{
		Use:   "events",
		Short: "Print the timeline of the cluster",
		Long: "Print the timeline of the local cluster, with -f as it grows.\n" +
			"Another cluster, named by --bootstrap-server, has no recorded timeline: -f observes it from now on.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if a.foreign() {
				err = a.observeEvents(cmd.Context(), f)
			} else {
				err = a.recordedEvents(cmd.Context(), f)
			}
			if f.follow && errors.Is(err, context.Canceled) { // ctrl+c is how one ends it
				return nil
			}
			return err
		},
	}
	c.Flags().BoolVarP(&f.follow, "follow", "f", false, "go on with what happens from now on")
	c.Flags().IntVarP(&f.last, "lines", "n", 0, "only the last so many events")
	c.Flags().BoolVar(&f.internal, "internal", false, "with what happens to partitions of internal topics")
	return c
}

// recordedEvents reads what the supervisor recorded.
func (a *app) recordedEvents(ctx context.Context, f eventsFlags) error {
	c, err := a.openLocal()
	if err != nil {
		return err
	}
	var shown []admin.Event
	recorded, hidden := 0, 0
	for e, err := range c.Events(ctx, 0, false) {
		if err != nil {
			return a.advise(err)
		}
		if recorded++; f.hides(admin.Event(e)) {
			hidden++
			continue
		}
		shown = append(shown, admin.Event(e))
	}
	if f.last > 0 {
		shown = shown[max(0, len(shown)-f.last):]
	}
	for _, e := range shown {
		if err := a.printEvent(e); err != nil {
			return err
		}
	}
	if !f.follow {
		if hidden > 0 && a.output == "text" {
			fmt.Fprintf(a.err, "%s in internal topics left out: --internal shows them\n", count(hidden, "change"))
		}
		return nil
	}
	for e, err := range c.Events(ctx, recorded, true) {
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return a.advise(err)
		}
		if f.hides(admin.Event(e)) {
			continue
		}
		if err := a.printEvent(admin.Event(e)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// observeEvents derives events from what can be seen now.
func (a *app) observeEvents(ctx context.Context, f eventsFlags) error {
	if !f.follow {
		return usagef("events: a cluster that kdrill did not start has no recorded timeline; add -f to observe it from now on")
	}
	cfg, err := a.adminConfig(ctx)
	if err != nil {
		return err
	}
	client, err := admin.Dial(ctx, cfg) // who is not there is told at once
	if err != nil {
		return err
	}
	client.Close()
	o := admin.NewObserver(cfg)
	o.SetInterest(admin.Interest{Groups: true})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	for {
		select {
		case e := <-o.Events():
			if f.hides(e) {
				continue
			}
			if err := a.printEvent(e); err != nil {
				stop()
				<-done
				return err
			}
		case err := <-done:
			return err
		}
	}
}

func (a *app) printEvent(e admin.Event) error {
	if a.output == "json" {
		return a.printJSON(e)
	}
	at := e.At.Local()
	stamp := at.Format("15:04:05.000")
	if now := time.Now(); at.YearDay() != now.YearDay() || at.Year() != now.Year() {
		stamp = at.Format("2006-01-02 15:04:05.000")
	}
	since := ""
	if e.Fault != "" && e.Kind != admin.KindFault {
		since = fmt.Sprintf("+%.3f", e.Since.Seconds())
	}
	tag, subject, change, note := e.Columns()
	line := fmt.Sprintf("%s %9s  %-6s %-14s  %s", stamp, since, tag, subject, change)
	if note != "" {
		line = fmt.Sprintf("%-60s  %s", line, note)
	}
	_, err := fmt.Fprintln(a.out, line)
	return err
}
