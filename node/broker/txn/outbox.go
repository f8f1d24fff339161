package txn

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// parcel is the part of a delivery that one broker is to write.
type parcel struct {
	*delivery
	places []place
	pause  time.Duration // before the next attempt
}

// outboxes hold parcels by broker. Each broker is sent one request at a time, with all that waits for it: one that hangs
// holds up nobody else, and a busy one gets many transactions at once.
type outboxes struct {
	mu      sync.Mutex
	waiting map[int32][]*parcel // there is a key for each broker that somebody sends to
}

// route hands places to the outboxes of their leaders. Those without a leader are tried again later, those that are gone
// need no marker.
func (c *Coordinator) route(d *delivery, places []place, pause time.Duration) {
	leaders := map[int32][]place{}
	for _, at := range places {
		if leader, known := c.cfg.Leader(at.topic, at.partition); known {
			leaders[leader] = append(leaders[leader], at)
		} else {
			d.settle(at)
		}
	}
	for leader, places := range leaders {
		if pc := (&parcel{d, places, pause}); leader < 0 {
			c.again(pc)
		} else {
			c.post(leader, pc)
		}
	}
}

// again routes what is left of a parcel anew, after its pause.
func (c *Coordinator) again(pc *parcel) {
	left := pc.unsettled(pc.places)
	if len(left) == 0 {
		return
	}
	c.led.Spawn(func() {
		if pc.p.Rest(pc.pause) {
			c.route(pc.delivery, left, slower(pc.pause))
		}
	})
}

// post puts a parcel into a broker's outbox, which somebody empties.
func (c *Coordinator) post(broker int32, pc *parcel) {
	o := &c.outboxes
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting, busy := o.waiting[broker]
	o.waiting[broker] = append(waiting, pc)
	if !busy {
		c.led.Spawn(func() { c.empty(broker) })
	}
}

// empty sends what waits for a broker until nothing does.
func (c *Coordinator) empty(broker int32) {
	o := &c.outboxes
	for {
		o.mu.Lock()
		parcels := o.waiting[broker]
		if len(parcels) == 0 {
			delete(o.waiting, broker)
			o.mu.Unlock()
			return
		}
		o.waiting[broker] = nil
		o.mu.Unlock()
		c.send(broker, c.current(broker, parcels))
	}
}

// current are the parcels that are still for a broker. The others are routed anew: while they waited leaders may have changed.
func (c *Coordinator) current(broker int32, parcels []*parcel) (current []*parcel) {
	for _, pc := range parcels {
		moved := slices.ContainsFunc(pc.places, func(at place) bool {
			leader, known := c.cfg.Leader(at.topic, at.partition)
			return !known || leader != broker
		})
		switch {
		case pc.p.Ctx.Err() != nil:
		case moved:
			c.route(pc.delivery, pc.places, pc.pause)
		default:
			current = append(current, pc)
		}
	}
	return current
}

// send makes one attempt to have a broker write markers.
func (c *Coordinator) send(broker int32, parcels []*parcel) {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Version = 1
	byProducer := map[int64]*delivery{}
	for _, pc := range parcels {
		req.Markers = append(req.Markers, pc.marker())
		byProducer[pc.m.id] = pc.delivery
	}
	if len(parcels) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(c.led.Ctx(), c.cfg.Settings.MarkerTimeout)
	defer cancel()
	resp, err := c.cfg.Mark(ctx, broker, req)
	if err != nil {
		c.cfg.Log.Debug("markers not written, trying again", "broker", broker, "markers", len(req.Markers), "err", err)
	} else {
		for _, answer := range resp.Markers {
			if d := byProducer[answer.ProducerID]; d != nil {
				c.settleAnswer(d, answer)
			}
		}
	}
	for _, pc := range parcels {
		c.again(pc)
	}
}

// marker is a parcel as a request has it. Places are in order.
func (pc *parcel) marker() kmsg.WriteTxnMarkersRequestMarker {
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch, m.Committed, m.CoordinatorEpoch = pc.m.id, pc.m.epoch, pc.m.state == prepareCommit, pc.p.Epoch()
	for _, at := range pc.places {
		if n := len(m.Topics); n == 0 || m.Topics[n-1].Topic != at.topic {
			topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
			topic.Topic = at.topic
			m.Topics = append(m.Topics, topic)
		}
		topic := &m.Topics[len(m.Topics)-1]
		topic.Partitions = append(topic.Partitions, at.partition)
	}
	return m
}
