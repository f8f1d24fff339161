package replica

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// transactional is one batch of a transaction.
func transactional(p producer, value string) []byte {
	b := log.EncodeBatch(log.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(value)})
	b.SetProducer(p.id, p.epoch, p.sequence)
	b.SetTransactional()
	return b
}

// end writes the marker of a producer's transaction.
func (c *cluster) end(leader int32, k key, p producer) {
	c.t.Helper()
	if got := c.mark(leader, k, p); got != 0 {
		c.t.Errorf("marker: %v", kerr.ErrorForCode(got))
	}
}

func (c *cluster) mark(leader int32, k key, p producer) (code int16) {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Version = 1
	m := kmsg.NewWriteTxnMarkersRequestMarker()
	m.ProducerID, m.ProducerEpoch = p.id, p.epoch
	topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	topic.Topic, topic.Partitions = k.Topic, []int32{k.Partition}
	m.Topics = append(m.Topics, topic)
	req.Markers = append(req.Markers, m)
	resp := c.brokers[leader].WriteTxnMarkers(context.Background(), req)
	return resp.Markers[0].Topics[0].Partitions[0].ErrorCode
}

func TestWhatWasVerifiedHoldsUntilTheTransactionEnds(t *testing.T) {
	p := producer{id: 7}
	for _, run := range []struct {
		name      string
		meanwhile func(*cluster, key) // while the coordinator is asked
		want      int16
	}{
		{"nothing happens", func(*cluster, key) {}, 0},
		{"the marker gets here first", func(c *cluster, k key) { c.end(1, k, p) }, kerr.InvalidTxnState.Code},
		{"a follower dies", func(c *cluster, k key) { c.elect(k, 1, 1) }, 0},
		{"the marker gets to another leader", func(c *cluster, k key) {
			c.elect(k, 2, 1, 2)
			c.end(2, k, p)
			c.settle()
			c.elect(k, 1, 1, 2)
		}, notLeader.Code},
	} {
		t.Run(run.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 2)
				k := c.create("orders", 0, 1, 2)
				c.settle()
				c.brokers[1].cfg.Verify = func(context.Context, Verification) map[log.TopicPartition]error {
					run.meanwhile(c, k)
					return nil
				}
				req := produceRequest(k, -1, time.Minute, transactional(p, "a"))
				req.TransactionID = kmsg.StringPtr("id")
				resp := c.brokers[1].Produce(t.Context(), recode(req).(*kmsg.ProduceRequest))
				if got := resp.Topics[0].Partitions[0].ErrorCode; got != run.want {
					t.Errorf("answer %v, want %v", kerr.ErrorForCode(got), kerr.ErrorForCode(run.want))
				}
			})
		})
	}
}

func TestMarkersAreForgottenWithTheirProducers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, func(s *Settings) { s.Topic.ProducerIDExpiration = time.Hour })
		k := c.create("orders", 0, 1)
		for id := range int64(10) {
			c.end(1, k, producer{id: id})
		}
		at := c.brokers[1].lookup(k)
		time.Sleep(50 * time.Minute)
		c.end(1, k, producer{id: 3})
		at.expireProducers(time.Now().Add(20 * time.Minute))
		if len(at.markers) != 1 || at.markers[3] != 2 {
			t.Errorf("markers %v", at.markers)
		}
	})
}

func TestMarkersDoNotWaitForEverForGroupsThatLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		k := c.create("__consumer_offsets", 0, 1)
		c.brokers[1].cfg.OnMarker = func(ctx context.Context, _ string, _ int32, _ int64, _ bool) error {
			<-ctx.Done()
			return kerr.CoordinatorLoadInProgress
		}
		began := time.Now()
		if got := c.mark(1, k, producer{id: 7}); got != kerr.CoordinatorLoadInProgress.Code {
			t.Errorf("marker: %v", kerr.ErrorForCode(got))
		}
		if took := time.Since(began); took != markerTimeout {
			t.Errorf("took %v", took)
		}
	})
}
