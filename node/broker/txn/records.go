package txn

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// Records of __transaction_state: key TxnMetadataKey, version 0 (the transactional id), value TxnMetadataValue,
// version 0 or 1. A null value forgets the id.

func keyOf(id string) []byte {
	k := kmsg.TxnMetadataKey{TransactionalID: id}
	return k.AppendTo(nil)
}

func (m metadata) record(id string) log.Record {
	v := kmsg.NewTxnMetadataValue()
	v.ProducerID, v.ProducerEpoch, v.TimeoutMillis = m.id, m.epoch, int32(m.timeout.Milliseconds())
	v.State, v.LastUpdateTimestamp, v.StartTimestamp = m.state, m.updated.UnixMilli(), -1
	if !m.started.IsZero() {
		v.StartTimestamp = m.started.UnixMilli()
	}
	for _, at := range sorted(m.partitions) {
		if n := len(v.Topics); n == 0 || v.Topics[n-1].Topic != at.topic {
			t := kmsg.NewTxnMetadataValueTopic()
			t.Topic = at.topic
			v.Topics = append(v.Topics, t)
		}
		t := &v.Topics[len(v.Topics)-1]
		t.Partitions = append(t.Partitions, at.partition)
	}
	return log.Record{Timestamp: v.LastUpdateTimestamp, Key: keyOf(id), Value: v.AppendTo(nil)}
}

func decode(value []byte) (m metadata, err error) {
	var v kmsg.TxnMetadataValue
	if err := v.ReadFrom(value); err != nil {
		return m, err
	}
	if _, ok := names[v.State]; !ok {
		return m, fmt.Errorf("state %d", v.State)
	}
	m = metadata{
		producer: producer{v.ProducerID, v.ProducerEpoch}, last: nobody,
		timeout: time.Duration(v.TimeoutMillis) * time.Millisecond, state: v.State,
		partitions: map[place]struct{}{}, updated: time.UnixMilli(v.LastUpdateTimestamp),
	}
	if v.StartTimestamp >= 0 {
		m.started = time.UnixMilli(v.StartTimestamp)
	}
	for _, t := range v.Topics {
		for _, p := range t.Partitions {
			m.partitions[place{t.Topic, p}] = struct{}{}
		}
	}
	return m, nil
}

// A memory is what reading a partition of __transaction_state has found so far.
type memory map[string]metadata

// read takes in the batches of some raw bytes.
func (all memory) read(raw []byte) error {
	for b, err := range log.Batches(raw) {
		if err != nil {
			return err
		}
		if b.Control() {
			continue
		}
		for r, err := range b.Records() {
			if err == nil {
				err = all.add(r)
			}
			if err != nil {
				return fmt.Errorf("record at %d: %w", r.Offset, err)
			}
		}
	}
	return nil
}

func (all memory) add(r log.Record) error {
	if len(r.Key) < 2 {
		return fmt.Errorf("key of %d bytes", len(r.Key))
	}
	if binary.BigEndian.Uint16(r.Key) != 0 {
		return nil // of a later kind
	}
	var k kmsg.TxnMetadataKey
	if err := k.ReadFrom(r.Key); err != nil {
		return err
	}
	if r.Value == nil {
		delete(all, k.TransactionalID)
		return nil
	}
	m, err := decode(r.Value)
	if err == nil {
		all[k.TransactionalID] = m
	}
	return err
}

func sorted(places map[place]struct{}) []place {
	return slices.SortedFunc(maps.Keys(places), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
}
