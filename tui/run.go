package tui

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
)

// framesPerSecond is how often the terminal is drawn at most: a key waits for half of such a frame on average. What has not
// changed is not drawn, and snapshots come a few times a second.
const framesPerSecond = 60

// Run opens the console and returns how the user left it.
func Run(ctx context.Context, cfg Config) (Outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := New(cfg)
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithFPS(framesPerSecond), tea.WithoutSignalHandler()}
	if cfg.Input != nil {
		options = append(options, tea.WithInput(cfg.Input))
	}
	if cfg.Output != nil {
		options = append(options, tea.WithOutput(cfg.Output))
	}
	if cfg.Environment != nil {
		options = append(options, tea.WithEnvironment(cfg.Environment))
	}
	p := tea.NewProgram(m, options...)
	m.commands.ctx, m.commands.send = ctx, p.Send
	m.commands.ending.Go(func() { feed(ctx, cfg, p.Send) })
	_, err := p.Run()
	cancel()
	m.commands.ending.Wait()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		err = nil
	}
	return m.outcome, err
}

// gather is how long events that come together are collected into one message.
const gather = 20 * time.Millisecond

// feed hands what the channels bring to the program until ctx ends.
func feed(ctx context.Context, cfg Config, send func(tea.Msg)) {
	var events []admin.Event
	var due <-chan time.Time
	snapshots, statuses, news := cfg.Snapshots, cfg.Statuses, cfg.Events
	for {
		select {
		case <-ctx.Done():
			return
		case s, ok := <-snapshots:
			if !ok {
				snapshots = nil
				continue
			}
			send(snapshotMsg{s})
		case s, ok := <-statuses:
			if !ok {
				statuses = nil
				continue
			}
			send(statusMsg(s))
		case e, ok := <-news:
			if !ok {
				news = nil
				continue
			}
			events = append(events, e)
			if due == nil {
				due = time.After(gather)
			}
		case <-due:
			send(eventsMsg(events))
			events, due = nil, nil
		}
	}
}
