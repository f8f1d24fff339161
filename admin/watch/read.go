package watch

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/node/layout"
)

func (w *Watcher) readBrokers(ctx context.Context) error {
	names, _, err := w.children(layout.BrokerIDs)
	if err != nil {
		return err
	}
	var u Brokers
	for _, name := range names {
		if id, err := strconv.ParseInt(name, 10, 32); err == nil {
			u.IDs = append(u.IDs, int32(id))
		}
	}
	slices.Sort(u.IDs)
	w.send(ctx, u)
	for _, id := range u.IDs {
		w.queue.Push(layout.Broker(id))
	}
	return nil
}

func (w *Watcher) readBroker(ctx context.Context, path string, data []byte, stat *zk.Stat) error {
	id, err := strconv.ParseInt(strings.TrimPrefix(path, layout.BrokerIDs+"/"), 10, 32)
	if err != nil {
		return err
	}
	registration, err := layout.Decode[layout.BrokerRegistration](path, data)
	if err != nil { // created, its data follows: the watch tells
		return nil
	}
	w.send(ctx, Broker{ID: int32(id), Registration: registration, Epoch: stat.Czxid, Session: stat.EphemeralOwner, At: time.UnixMilli(stat.Ctime)})
	return nil
}

func (w *Watcher) readController(ctx context.Context, data []byte, stat *zk.Stat) error {
	if stat == nil {
		w.send(ctx, Controller{ID: layout.NoLeader})
		return nil
	}
	// Both znodes are written together: the epoch goes first so that who hears of the controller knows it.
	if err := w.readPath(ctx, layout.ControllerEpoch); err != nil {
		return err
	}
	registration, err := layout.Decode[layout.ControllerRegistration](layout.Controller, data)
	if err != nil {
		return err
	}
	w.send(ctx, Controller{ID: registration.BrokerID, At: time.UnixMilli(stat.Mtime)})
	return nil
}

func (w *Watcher) readTopics(ctx context.Context) error {
	names, _, err := w.children(layout.Topics)
	if err != nil {
		return err
	}
	slices.Sort(names)
	w.send(ctx, Topics{Names: names})
	w.forget(names)
	for _, name := range names {
		if topic := layout.Topic(name); w.first(topic, false) {
			w.queue.Push(topic)
		}
	}
	return nil
}

// forget drops the topics that are gone, with their states. names is sorted.
func (w *Watcher) forget(names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for path := range w.seen {
		topic, rest, _ := strings.Cut(strings.TrimPrefix(path, layout.Topics+"/"), "/")
		if _, found := slices.BinarySearch(names, topic); !found {
			delete(w.seen, path)
			if rest != "" {
				w.states--
			}
		}
	}
}

// first says whether a topic or state was not read yet over this connection, and notes that it is now. States
// beyond the bound are never read.
func (w *Watcher) first(path string, state bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	connection, known := w.seen[path]
	if known && connection == w.connection {
		return false
	}
	if state && !known {
		if w.states >= w.cfg.MaxPartitions {
			return false
		}
		w.states++
	}
	w.seen[path] = w.connection
	return true
}

func (w *Watcher) readTopic(ctx context.Context, path string, data []byte, stat *zk.Stat) error {
	name := strings.TrimPrefix(path, layout.Topics+"/")
	if strings.Contains(name, "/") {
		return nil
	}
	assignment, err := layout.Decode[layout.TopicAssignment](path, data)
	if err != nil {
		return err
	}
	w.send(ctx, Assignment{Topic: name, TopicAssignment: assignment, At: time.UnixMilli(stat.Ctime)})
	for _, id := range assignment.IDs() {
		if state := layout.State(name, id); w.first(state, true) {
			w.queue.Push(state)
		}
	}
	return nil
}

func (w *Watcher) readState(ctx context.Context, path string, data []byte, stat *zk.Stat) error {
	topic, partition, err := layout.ParseState(path)
	if err != nil {
		return err
	}
	state, err := layout.Decode[layout.PartitionState](path, data)
	if err != nil {
		return err
	}
	w.send(ctx, State{
		Topic: topic, Partition: partition, PartitionState: state,
		Version: stat.Version, Created: stat.Czxid, At: time.UnixMilli(stat.Mtime),
	})
	return nil
}
