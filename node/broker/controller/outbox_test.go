package controller

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// scripted answers each request as its script says; when that has run out everything succeeds.
type scripted struct {
	script  []func(context.Context) error
	dials   int
	closed  int
	arrived []kmsg.Request
}

func (s *scripted) Close() { s.closed++ }

func (s *scripted) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	s.arrived = append(s.arrived, req)
	if len(s.script) > 0 {
		next := s.script[0]
		s.script = s.script[1:]
		if err := next(ctx); err != nil {
			return nil, err
		}
	}
	return req.ResponseKind(), nil
}

func (s *scripted) outbox(timeout time.Duration) *outbox {
	return &outbox{
		timeout: timeout, log: slog.New(slog.DiscardHandler), wake: make(chan struct{}, 1),
		dial: func(context.Context, layout.BrokerRegistration) (Peer, error) {
			s.dials++
			return s, nil
		},
	}
}

func broken(context.Context) error { return errors.New("connection reset") }

func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAnOutboxRepeatsUntilItIsAnsweredAndKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: []func(context.Context) error{broken, hangs}}
		o := s.outbox(30 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		go o.run(ctx)
		first, second := kmsg.NewPtrLeaderAndISRRequest(), kmsg.NewPtrUpdateMetadataRequest()
		start := time.Now()
		var took []time.Duration
		done := make(chan struct{})
		note := func(kmsg.Response) { took = append(took, time.Since(start)) }
		o.put(letter{first, note}, letter{second, func(kmsg.Response) { note(nil); close(done) }})
		<-done
		if !slices.Equal(s.arrived, []kmsg.Request{first, first, first, second}) {
			t.Errorf("arrived %v", kinds(s.arrived))
		}
		if want := 30*time.Second + 2*dialPause; !slices.Equal(took, []time.Duration{want, want}) {
			t.Errorf("answered after %v, want both after %v", took, want)
		}
		if s.dials != 3 || s.closed != 2 {
			t.Errorf("%d connections opened and %d closed: a failed one must not be used again, a good one must", s.dials, s.closed)
		}
		cancel()
		synctest.Wait()
		if s.closed != 3 {
			t.Error("the connection stays open after the broker left")
		}
	})
}

func TestAnOutboxOfAHungBrokerEndsWhenTheBrokerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{script: []func(context.Context) error{hangs}}
		o := s.outbox(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			o.run(ctx)
		}()
		o.put(letter{request: kmsg.NewPtrUpdateMetadataRequest()}, letter{request: kmsg.NewPtrUpdateMetadataRequest()})
		synctest.Wait()
		cancel()
		<-ended
		if len(s.arrived) != 1 || s.closed != 1 {
			t.Errorf("%d requests arrived, %d connections closed", len(s.arrived), s.closed)
		}
	})
}
