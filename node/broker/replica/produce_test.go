package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

func TestProduceRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.topics["small"] = map[string]string{"max.message.bytes": "100"}
		k, small, elsewhere := c.create("orders", 0, 1, 2), c.create("small", 0, 1), c.create("elsewhere", 0, 2)
		corrupt := records("x")
		corrupt[len(corrupt)-1] ^= 1
		old := records("x")
		old[16] = 1 // magic
		for _, test := range []struct {
			name    string
			to      int32
			k       key
			acks    int16
			records []byte
			want    *kerr.Error
		}{
			{"acks=2", 1, k, 2, records("x"), kerr.InvalidRequiredAcks},
			{"follower", 2, k, 1, records("x"), notLeader},
			{"unknown partition", 1, key{Topic: "orders", Partition: 9}, 1, records("x"), kerr.UnknownTopicOrPartition},
			{"partition of another broker", 1, elsewhere, 1, records("x"), kerr.UnknownTopicOrPartition},
			{"corrupt", 1, k, 1, corrupt, kerr.CorruptMessage},
			{"message format 1 in a request of today", 1, k, 1, old, kerr.InvalidRecord},
			{"two batches", 1, k, 1, append(records("x"), records("y")...), kerr.InvalidRecord},
			{"no batch", 1, k, 1, nil, kerr.InvalidRecord},
			{"too large", 1, small, 1, records(strings.Repeat("x", 200)), kerr.MessageTooLarge},
		} {
			got := c.produce(test.to, test.k, test.acks, time.Second, test.records)
			if got.ErrorCode != test.want.Code || got.BaseOffset != -1 {
				t.Errorf("%s: %v at %d, want %v", test.name, kerr.ErrorForCode(got.ErrorCode), got.BaseOffset, test.want)
			}
		}
		if resp := c.brokers[1].Produce(t.Context(), produceRequest(k, 0, time.Second, records("unacknowledged"))); resp != nil {
			t.Errorf("acks=0 answered: %+v", resp)
		}
		if resp := c.brokers[2].Produce(t.Context(), produceRequest(k, 0, time.Second, records("to a follower"))); resp == nil || resp.Topics[0].Partitions[0].ErrorCode != notLeader.Code {
			t.Errorf("acks=0 that was refused: %+v", resp)
		}
		c.settle()
		if got := c.consume(1, k); !slices.Equal(got, []string{"unacknowledged"}) {
			t.Errorf("consumed %q", got)
		}
	})
}

func TestLogAppendTimeIsTheLeadersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		k := c.create("orders", 0, 1)
		if got := c.produce(1, k, 1, time.Second, records("x")); got.LogAppendTime != -1 {
			t.Errorf("with CreateTime: %d", got.LogAppendTime)
		}
		c.topics["orders"] = map[string]string{"message.timestamp.type": "LogAppendTime"}
		c.brokers[1].ConfigChanged("orders")
		if got := c.produce(1, k, 1, time.Second, records("x")); got.LogAppendTime != time.Now().UnixMilli() {
			t.Errorf("with LogAppendTime: %d", got.LogAppendTime)
		}
	})
}

func TestAProducersNextRequestIsAppendedBeforeTheFirstIsAcked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.settle()
		c.hang(1, true)
		var answers []func() *kmsg.ProduceResponse
		for i := range 5 {
			answers = append(answers, c.brokers[1].Append(t.Context(), produceRequest(k, -1, time.Minute, records(fmt.Sprint(i)))))
		}
		if end, hw := c.marks(1, k); end != 5 || hw != 0 {
			t.Fatalf("end %d, high watermark %d", end, hw)
		}
		c.hang(1, false)
		for i, answer := range answers {
			if got := answer().Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != int64(i) {
				t.Errorf("answer %d: %+v", i, got)
			}
		}
	})
}

func TestCoordinatorsWriteAndReadTheirPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("__consumer_offsets", 3, 1, 2)
		b := c.brokers[1]
		for i := range 4 {
			if _, err := b.AppendInternal(t.Context(), k.Topic, k.Partition, 0, records(fmt.Sprint(i)), nil); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.AppendInternal(t.Context(), k.Topic, k.Partition, 1, records("x"), nil); !errors.Is(err, kerr.UnknownLeaderEpoch) {
			t.Errorf("in an epoch to come: %v", err)
		}
		c.hang(1, true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.AppendInternal(ctx, k.Topic, k.Partition, 0, records("4"), nil); !errors.Is(err, kerr.RequestTimedOut) {
			t.Errorf("not committed in time: %v", err)
		}
		var values []string
		for batches, err := range b.ReadInternal(k.Topic, k.Partition) {
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, valuesOf(t, batches)...)
		}
		if !slices.Equal(values, []string{"0", "1", "2", "3", "4"}) {
			t.Errorf("read %q", values)
		}
		for _, err := range c.brokers[2].ReadInternal(k.Topic, k.Partition) {
			if !errors.Is(err, notLeader) {
				t.Errorf("on the follower: %v", err)
			}
		}
	})
}

func TestAFailedPartitionAnswersStorageErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		bad, good := c.create("bad", 0, 1), c.create("good", 0, 1)
		var told []string
		c.brokers[1].cfg.OnFailure = func(dir string, left int, err error) { told = append(told, fmt.Sprint(dir, " ", left, " left: ", err)) }
		p := c.brokers[1].lookup(bad)
		for range 2 {
			p.writer.Lock()
			p.fail(fmt.Errorf("%w: disk full", log.ErrStorage))
			p.writer.Unlock()
		}
		if len(told) != 1 || !strings.Contains(told[0], "/a 1 left: bad/0") {
			t.Errorf("told %q", told)
		}
		want := kerr.KafkaStorageError.Code
		if got := c.produce(1, bad, 1, time.Second, records("x")).ErrorCode; got != want {
			t.Errorf("produce: %v", kerr.ErrorForCode(got))
		}
		if got := c.fetch(1, consumerFetch(bad, 0)).Topics[0].Partitions[0].ErrorCode; got != want {
			t.Errorf("fetch: %v", kerr.ErrorForCode(got))
		}
		c.mustProduce(1, good, 1, "the others work")
	})
}

func TestAProducerLearnsWhichRecordsAreWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		c.topics["timed"] = map[string]string{"message.timestamp.before.max.ms": "1000"}
		k := c.create("timed", 0, 1)
		now := time.Now().UnixMilli()
		got := c.produce(1, k, 1, time.Second, log.EncodeBatch(log.Record{Timestamp: now}, log.Record{Timestamp: now - 2000}))
		if got.ErrorCode != kerr.InvalidTimestamp.Code || got.ErrorMessage == nil || len(got.ErrorRecords) != 1 || got.ErrorRecords[0].RelativeOffset != 1 || got.ErrorRecords[0].ErrorMessage == nil {
			t.Errorf("%+v", got)
		}
	})
}
