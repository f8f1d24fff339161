// Package records reads and writes the records of topics: follow, filter, decode, print; send from lines.
//
// A [Tail] turns fetched batches into [Record] values that pass its filters and hands them up either one by one
// (Each, nothing is lost, a slow caller slows the reading down) or as conflated batches (Run and Batches, a slow
// screen sees the newest and how many it missed). A [Producer] turns records into acknowledged ones and a summary.
//
// A tail and a producer belong to one goroutine each; what they hand out is immutable.
package records

import "time"

// Record is one record as it was stored.
type Record struct {
	Topic         string    `json:"topic"`
	Partition     int32     `json:"partition"`
	Offset        int64     `json:"offset"`
	Time          time.Time `json:"time"`
	TimeType      string    `json:"time_type"` // CreateTime or LogAppendTime
	Key           []byte    `json:"-"`         // nil: none
	Value         []byte    `json:"-"`         // nil: a tombstone
	Headers       []Header  `json:"-"`
	LeaderEpoch   int32     `json:"leader_epoch"`
	ProducerID    int64     `json:"producer_id"` // -1 if it has none
	ProducerEpoch int16     `json:"producer_epoch"`
	Transactional bool      `json:"transactional,omitempty"`
}

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Size is the number of bytes of key, value and headers.
func (r Record) Size() int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return n
}

// Batch is what a tail read since the last one.
type Batch struct {
	Records []Record  // oldest first
	Missed  int64     // matching records left out because the reader was slower than the topic
	Read    int64     // records read since the tail began, matching or not
	At      time.Time // when it was assembled
	Problem string    // why records are missing now, one sentence; empty when all is well
}
