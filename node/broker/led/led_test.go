package led

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// shelf is what a test keeps in partitions: texts by id.
type shelf struct {
	*Partitions[string]
	fails   int           // how many loads fail
	stalls  chan struct{} // loads wait for it, if it is set
	loads   int
	dropped []string
}

func newShelf() *shelf {
	s := new(shelf)
	s.Partitions = New(Config[string]{
		What: "texts", Log: slog.New(slog.DiscardHandler), Drop: func(text string) { s.dropped = append(s.dropped, text) },
		Load: func(p *Partition[string]) (func(), error) {
			s.loads++
			if s.fails--; s.fails >= 0 {
				return nil, errors.New("disk on fire")
			}
			if s.stalls != nil {
				<-s.stalls
			}
			return func() { p.Items["id"] = "text" }, nil
		},
	})
	return s
}

func TestAPartitionIsLoadedBeforeItServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		defer s.Close()
		s.stalls, s.fails = make(chan struct{}), 2
		if _, err := s.Loaded(-1); err != kerr.CoordinatorNotAvailable {
			t.Errorf("without a topic: %v", err)
		}
		if _, err := s.Loaded(1); err != kerr.NotCoordinator {
			t.Errorf("not led: %v", err)
		}
		s.Lead(1, 5)
		time.Sleep(3 * time.Second) // two attempts fail
		if _, err := s.Loaded(1); err != kerr.CoordinatorLoadInProgress {
			t.Errorf("while it is loaded: %v", err)
		}
		if items, loading := s.All(); len(items) != 0 || !loading {
			t.Errorf("all are %v, loading %v", items, loading)
		}
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Find(1).Await(soon); err != kerr.CoordinatorLoadInProgress {
			t.Errorf("awaited in vain: %v", err)
		}
		close(s.stalls)
		if err := s.Find(1).Await(t.Context()); err != nil {
			t.Error(err)
		}
		p, err := s.Loaded(1)
		if err != nil || p.Items["id"] != "text" || p.Epoch() != 5 || s.loads != 3 {
			t.Errorf("%v, %v after %d attempts", p.Items, err, s.loads)
		}
		if items, loading := s.All(); !slices.Equal(items, []string{"text"}) || loading {
			t.Errorf("all are %v, loading %v", items, loading)
		}
	})
}

func TestTheNextEpochGoesOnAndALaterOneBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		defer s.Close()
		s.Lead(1, 5)
		synctest.Wait()
		p := s.Find(1)
		s.Lead(1, 6)
		s.Lead(1, 4) // late news
		if s.Find(1) != p || p.Epoch() != 6 || s.loads != 1 {
			t.Errorf("epoch %d after %d loads", p.Epoch(), s.loads)
		}
		s.Lead(1, 8)
		synctest.Wait()
		if s.Find(1) == p || p.Ctx.Err() == nil || s.loads != 2 || !slices.Equal(s.dropped, []string{"text"}) {
			t.Errorf("after a missed epoch: %d loads, dropped %v", s.loads, s.dropped)
		}
	})
}

func TestAPartitionThatIsResignedWhileItIsLoadedStaysEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		s.stalls = make(chan struct{})
		s.Lead(1, 5)
		synctest.Wait()
		p := s.Find(1)
		s.Resign(1)
		s.Resign(1)
		close(s.stalls)
		synctest.Wait()
		if len(p.Items) != 0 || len(s.dropped) != 0 || s.Find(1) != nil || p.Await(t.Context()) != nil || p.Rest(time.Hour) {
			t.Errorf("items %v, dropped %v", p.Items, s.dropped)
		}
		s.Close()
		s.Spawn(func() { t.Error("work after the end") })
		s.Lead(2, 1)
		synctest.Wait()
		if s.loads != 1 {
			t.Errorf("%d loads", s.loads)
		}
	})
}
