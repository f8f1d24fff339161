package txn

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A world is what a coordinator sees of its cluster: a log of __transaction_state that outlives it, and brokers that
// take markers.
type world struct {
	mu      sync.Mutex
	batches [][]byte
	refuse  error // of appends
	markers []kmsg.WriteTxnMarkersRequestMarker
	deaf    bool // brokers do not take markers
	leaders map[string]int32
	hung    map[int32]bool // brokers that do not answer
	sent    []string       // requests: broker, how many markers
	ids     int64
}

func (w *world) Append(_ context.Context, _, _ int32, batch []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse == nil {
		w.batches = append(w.batches, slices.Clone(batch))
	}
	return w.refuse
}

func (w *world) Read(int32) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, b := range w.batches {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (w *world) mark(ctx context.Context, broker int32, req *kmsg.WriteTxnMarkersRequest) (*kmsg.WriteTxnMarkersResponse, error) {
	w.mu.Lock()
	w.sent = append(w.sent, fmt.Sprintf("%d x%d", broker, len(req.Markers)))
	hung := w.hung[broker]
	w.mu.Unlock()
	if hung {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	resp := kmsg.NewPtrWriteTxnMarkersResponse()
	for _, m := range req.Markers {
		if !w.deaf {
			w.markers = append(w.markers, m)
		}
		out := kmsg.NewWriteTxnMarkersResponseMarker()
		out.ProducerID = m.ProducerID
		for _, t := range m.Topics {
			topic := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				part := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
				if part.Partition = p; w.deaf {
					part.ErrorCode = kerr.NotEnoughReplicas.Code
				}
				topic.Partitions = append(topic.Partitions, part)
			}
			out.Topics = append(out.Topics, topic)
		}
		resp.Markers = append(resp.Markers, out)
	}
	return resp, nil
}

// coordinator starts one that leads the only partition, until the test ends or it is stopped.
func (w *world) coordinator(t *testing.T, epoch int32) (c *Coordinator, stop func()) {
	c = New(Config{
		PartitionFor: func(string) int32 { return 0 },
		Store:        w,
		ProducerID:   func(context.Context) (int64, error) { w.ids++; return w.ids, nil },
		Leader: func(topic string, _ int32) (int32, bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if id, ok := w.leaders[topic]; ok {
				return id, true
			}
			return 1, topic != "gone"
		},
		GroupPartition: func(string) (int32, bool) { return 3, true },
		Mark:           w.mark, Settings: DefaultSettings(), Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	c.Lead(0, epoch)
	synctest.Wait()
	return c, func() { cancel(); running.Wait() }
}

func begin7(t *testing.T, c *Coordinator) producer { return beginAs(t, c, "id") }

func beginAs(t *testing.T, c *Coordinator, id string) producer {
	t.Helper()
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionalID, req.TransactionTimeoutMillis = 4, &id, 60_000
	resp := c.InitProducerID(t.Context(), req)
	if resp.ErrorCode != 0 {
		t.Fatal(kerr.ErrorForCode(resp.ErrorCode))
	}
	return producer{resp.ProducerID, resp.ProducerEpoch}
}

func addPartition(t *testing.T, c *Coordinator, p producer, topic string) {
	t.Helper()
	if err := c.add("id", p, []place{{topic, 0}}); err != nil {
		t.Fatal(err)
	}
}

func (c *Coordinator) state(t *testing.T) state { return c.stateOf(t, "id") }

func (c *Coordinator) stateOf(t *testing.T, id string) state {
	t.Helper()
	found, err := c.known(id)
	if err != nil {
		t.Fatal(err)
	}
	return found.now().state
}

func TestATransactionIsCompleteOnceMarkersAreEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		c, stop := w.coordinator(t, 5)
		defer stop()
		p := begin7(t, c)
		addPartition(t, c, p, "a")
		addPartition(t, c, p, "gone") // and deleted before the end
		if err := c.endTransaction("id", p, true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := c.state(t); s != completeCommit || len(w.markers) != 1 {
			t.Fatalf("%s, %d markers", names[s], len(w.markers))
		}
		if m := w.markers[0]; !m.Committed || m.CoordinatorEpoch != 5 || m.ProducerID != p.id {
			t.Errorf("%+v", m)
		}
	})
}

// Two brokers have markers to write, one of them hangs: those of the other are written at once, and in the transaction
// that needs both, its own are. What waited for the one that hangs goes in one request then, or to whoever leads.
func TestABrokerThatHangsHoldsUpItsOwnMarkersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{leaders: map[string]int32{"hangs": 2, "moves": 2, "nobody's": -1}, hung: map[int32]bool{2: true}}
		c, stop := w.coordinator(t, 5)
		defer stop()
		end := func(id string, topics ...string) {
			t.Helper()
			p := beginAs(t, c, id)
			for _, topic := range topics {
				if err := c.add(id, p, []place{{topic, 0}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.endTransaction(id, p, true); err != nil {
				t.Fatal(err)
			}
		}
		end("both", "a", "hangs")
		synctest.Wait()
		end("fine", "a")
		end("slow1", "hangs")
		end("slow2", "hangs")
		end("moved", "moves")
		end("waits", "nobody's")
		synctest.Wait()
		for id, want := range map[string]state{"both": prepareCommit, "fine": completeCommit, "slow1": prepareCommit, "slow2": prepareCommit, "moved": prepareCommit, "waits": prepareCommit} {
			if s := c.stateOf(t, id); s != want {
				t.Errorf("%s: %s, want %s", id, names[s], names[want])
			}
		}
		if len(w.markers) != 2 {
			t.Errorf("%d markers, want those of a", len(w.markers))
		}
		w.mu.Lock()
		w.leaders["moves"], w.leaders["nobody's"] = 3, 1
		w.hung = nil
		w.sent = nil
		w.mu.Unlock()
		time.Sleep(2 * c.cfg.Settings.MarkerTimeout)
		for _, id := range []string{"both", "slow1", "slow2", "moved", "waits"} {
			if s := c.stateOf(t, id); s != completeCommit {
				t.Errorf("%s: %s", id, names[s])
			}
		}
		slices.Sort(w.sent)
		if got := fmt.Sprint(w.sent); got != "[1 x1 2 x1 2 x2 3 x1]" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestTheNextCoordinatorFinishesWhatWasDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{deaf: true}
		first, stop := w.coordinator(t, 5)
		p := begin7(t, first)
		addPartition(t, first, p, "a")
		if err := first.endTransaction("id", p, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s := first.state(t); s != prepareCommit {
			t.Fatalf("%s without a marker", names[s])
		}
		stop()
		w.deaf = false
		second, stop := w.coordinator(t, 6)
		defer stop()
		time.Sleep(time.Second)
		if s := second.state(t); s != completeCommit || len(w.markers) != 1 || w.markers[0].CoordinatorEpoch != 6 {
			t.Errorf("%s, %+v", names[s], w.markers)
		}
	})
}

func TestACoordinatorGoesOnInItsNextEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{deaf: true}
		c, stop := w.coordinator(t, 5)
		defer stop()
		p := begin7(t, c)
		addPartition(t, c, p, "a")
		if err := c.endTransaction("id", p, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		c.Lead(0, 6) // a follower died
		if s := c.state(t); s != prepareCommit {
			t.Fatalf("%s at once", names[s]) // and not COORDINATOR_LOAD_IN_PROGRESS
		}
		w.mu.Lock()
		w.deaf = false
		w.mu.Unlock()
		time.Sleep(time.Second)
		if s := c.state(t); s != completeCommit || len(w.markers) != 1 || w.markers[0].CoordinatorEpoch != 6 {
			t.Errorf("%s, %+v", names[s], w.markers)
		}
	})
}

func TestAProducerThatIsSilentIsAbortedAndFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		c, stop := w.coordinator(t, 1)
		defer stop()
		p := begin7(t, c)
		addPartition(t, c, p, "a")
		time.Sleep(2 * time.Minute)
		if s := c.state(t); s != completeAbort {
			t.Errorf("%s after its timeout", names[s])
		}
		if err := c.endTransaction("id", p, true); err != kerr.ProducerFenced {
			t.Errorf("its commit: %v", err)
		}
	})
}

func TestANewProducerAbortsWhatTheFormerLeftOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		c, stop := w.coordinator(t, 1)
		defer stop()
		old := begin7(t, c)
		addPartition(t, c, old, "a")
		if _, err := c.initiate(t.Context(), "id", nobody, time.Minute); err != kerr.ConcurrentTransactions {
			t.Fatalf("while the former's transaction is open: %v", err)
		}
		synctest.Wait()
		if p := begin7(t, c); p.id != old.id || p.epoch <= old.epoch {
			t.Errorf("%v after %v", p, old)
		}
		if len(w.markers) != 1 || w.markers[0].Committed {
			t.Errorf("markers: %+v", w.markers)
		}
	})
}

func TestWhatIsNotInTheLogDidNotHappen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		c, stop := w.coordinator(t, 1)
		defer stop()
		p := begin7(t, c)
		addPartition(t, c, p, "a")
		w.refuse = kerr.NotEnoughReplicas
		if err := c.endTransaction("id", p, true); err != kerr.CoordinatorNotAvailable {
			t.Errorf("%v", err)
		}
		synctest.Wait()
		if s := c.state(t); s != ongoing || len(w.markers) != 0 {
			t.Errorf("%s, %d markers", names[s], len(w.markers))
		}
		w.refuse = nil
		if err := c.endTransaction("id", p, true); err != nil {
			t.Errorf("again: %v", err)
		}
	})
}

func TestUnusedIDsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		c, stop := w.coordinator(t, 1)
		defer stop()
		begin7(t, c)
		time.Sleep(8 * 24 * time.Hour)
		if _, err := c.known("id"); err != kerr.InvalidProducerIDMapping {
			t.Errorf("after eight days: %v", err)
		}
	})
}
