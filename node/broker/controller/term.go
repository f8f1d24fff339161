package controller

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

var errExpired = errors.New("the ZooKeeper session expired")

// firstImbalanceCheck is when a new controller looks for the first time whether leaders should move back.
const firstImbalanceCheck = 5 * time.Second

// term is the time from one election of this broker to its end. The goroutine of run owns all fields but ctx, post and
// group.
type term struct {
	ctx       context.Context // ends with the term; its cause says why
	cancel    context.CancelCauseFunc
	group     sync.WaitGroup // watches and outboxes
	watching  sync.Map       // names of watches whose event was not handled yet
	events    chan event
	settings  Settings
	unclean   func() bool // unless the topic says otherwise
	elections *elections
	dial      func(context.Context, layout.BrokerRegistration) (Peer, error)
	log       *slog.Logger

	id       int32
	epoch    int32
	store    *store
	view     *view
	batch    *batch
	outboxes map[int32]*outbox
}

// event is something that happened. An error ends the term.
type event struct {
	name   string
	handle func() error
}

func newTerm(ctx context.Context, c *Controller, epoch, epochVersion int32) *term {
	t := &term{
		events: make(chan event), settings: c.Settings, unclean: c.UncleanLeaderElection, elections: &c.elections, dial: c.Dial, log: c.Log, id: c.BrokerID, epoch: epoch,
		view: newView(), batch: newBatch(), outboxes: map[int32]*outbox{},
	}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	t.store = &store{ctx: t.ctx, conn: c.ZK, version: epochVersion}
	return t
}

// run takes over the cluster and then handles events until the term ends; the error says why.
func (t *term) run() error {
	start := time.Now()
	if err := t.takeOver(); err != nil {
		return t.cause(err)
	}
	t.log.Info("elected controller", "epoch", t.epoch, "brokers", len(t.view.brokers), "topics", len(t.view.topics), "took", time.Since(start).Round(time.Millisecond))
	for {
		select {
		case e := <-t.events:
			if err := e.handle(); err != nil {
				return t.cause(err)
			}
			t.flush()
		case <-t.ctx.Done():
			return context.Cause(t.ctx)
		}
	}
}

// cause prefers the reason for the term's end over the error it led to.
func (t *term) cause(err error) error {
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	return err
}

// end stops everything the term started. If this broker is still the registered controller, it makes room for another.
func (t *term) end() {
	if t.ctx.Err() == nil {
		_, err := t.store.write(&zk.DeleteRequest{Path: layout.Controller, Version: -1})
		if err != nil && !errors.Is(err, errMoved) {
			t.log.Warn("cannot give up the controller's znode", "err", err)
		}
	}
	t.cancel(errors.New("the term is over"))
	t.group.Wait()
}

// post hands an event to the term's goroutine; false if the term or ctx ended before.
func (t *term) post(ctx context.Context, name string, handle func() error) bool {
	select {
	case t.events <- event{name, handle}:
		return true
	case <-t.ctx.Done():
	case <-ctx.Done():
	}
	return false
}

// watch posts an event when a watch fires. One watch for a name is enough: until its event is handled others are
// dropped, since handling it reads everything anew. A watch that is given up means that the session is over.
func (t *term) watch(fired <-chan zk.Event, name string, handle func() error) {
	if _, pending := t.watching.LoadOrStore(name, true); pending {
		return
	}
	t.group.Go(func() {
		select {
		case e := <-fired:
			if e.Type == zk.EventNotWatching || e.Err != nil {
				t.cancel(errExpired)
				return
			}
			t.post(t.ctx, name, func() error {
				t.watching.Delete(name)
				return handle()
			})
		case <-t.ctx.Done():
		}
	})
}

// readWatched reads a znode and posts an event when it changes next, or goes. Where that is being waited for, nothing is
// added.
func (t *term) readWatched(path, name string, handle func() error) (data []byte, stat *zk.Stat, err error) {
	if _, pending := t.watching.Load(name); pending {
		return t.store.get(path)
	}
	data, stat, fired, err := t.store.getW(path)
	if err == nil {
		t.watch(fired, name, handle)
	}
	return data, stat, err
}

// after posts an event when a time has passed.
func (t *term) after(d time.Duration, name string, handle func() error) {
	t.group.Go(func() {
		select {
		case <-time.After(d):
			t.post(t.ctx, name, handle)
		case <-t.ctx.Done():
		}
	})
}

// flush queues what the event caused for the brokers.
func (t *term) flush() {
	from := sender{id: t.id, epoch: t.epoch, listener: t.settings.InterBrokerListenerName}
	for id, requests := range t.batch.requests(t.view, from) {
		letters := make([]letter, len(requests))
		for i, req := range requests {
			letters[i].request = req
			switch req := req.(type) {
			case *kmsg.StopReplicaRequest:
				letters[i].answered = t.stopped(t.view.brokers[id], req)
			case *kmsg.LeaderAndISRRequest:
				letters[i].answered = t.assumed(t.view.brokers[id], req)
			}
		}
		t.outboxes[id].put(letters...)
	}
	t.batch = newBatch()
}

func (t *term) openOutbox(b broker) {
	ctx, stop := context.WithCancel(t.ctx)
	o := &outbox{id: b.id, to: b.BrokerRegistration, dial: t.dial, timeout: t.settings.ControllerSocketTimeout, log: t.log, stop: stop, wake: make(chan struct{}, 1)}
	t.outboxes[b.id] = o
	t.group.Go(func() { o.run(ctx) })
}

func (t *term) closeOutbox(id int32) {
	if o := t.outboxes[id]; o != nil {
		o.stop()
		delete(t.outboxes, id)
	}
}

// tell has the batch carry a partition's state: LeaderAndIsr to its live replicas and to those named beside them,
// UpdateMetadata to all.
func (t *term) tell(p *partition, isNew bool, beside ...int32) {
	for _, id := range p.replicas {
		if t.view.live(id) || t.view.running(id) && slices.Contains(beside, id) {
			t.batch.sendLead(id, p, isNew)
		}
	}
	t.batch.metadata[p] = true
}

// decide writes what decision returns for each partition for which it returns true. Where somebody else changed the
// state meanwhile it decides again, from what it finds. It returns the partitions that were changed.
func (t *term) decide(partitions []*partition, decision func(*partition) (layout.PartitionState, bool)) ([]change, error) {
	var made []change
	for attempts := 3; len(partitions) > 0 && attempts > 0; attempts-- {
		var changes []change
		for _, p := range partitions {
			if p.state == nil {
				continue
			}
			if next, ok := decision(p); ok {
				next.Version, next.ControllerEpoch = 1, t.epoch
				changes = append(changes, change{p, next, next.Leader != layout.NoLeader && !slices.Contains(p.state.ISR, next.Leader)})
			}
		}
		done, err := t.store.writeStates(changes)
		if err != nil {
			return made, err
		}
		made = append(made, done...)
		written := make(map[*partition]bool, len(done))
		for _, c := range done {
			written[c.partition] = true
			if c.unclean {
				t.log.Warn("unclean leader elected, records may be lost", "partition", c.partition.String(), "leader", c.next.Leader, "epoch", c.next.LeaderEpoch)
				t.elections.unclean.Add(1)
			}
		}
		partitions = partitions[:0:0]
		for _, c := range changes {
			if !written[c.partition] {
				t.log.Warn("partition state was changed by somebody else", "partition", c.partition.String())
				partitions = append(partitions, c.partition)
			}
		}
	}
	return made, nil
}

// members lists the brokers for the log.
func (t *term) members() []int32 { return slices.Sorted(maps.Keys(t.view.brokers)) }
