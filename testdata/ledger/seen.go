package ledger

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Seen are the records that a consumer was given. They were committed, so they stay where they are.
type Seen struct {
	mu      sync.Mutex
	records map[int32]map[int64]int // partition, offset: value
	changed []string
}

// Read consumes until ctx ends.
func (s *Seen) Read(ctx context.Context, client *kgo.Client) {
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		s.mu.Lock()
		fetches.EachRecord(s.note)
		s.mu.Unlock()
	}
}

func (s *Seen) note(r *kgo.Record) {
	if s.records == nil {
		s.records = map[int32]map[int64]int{}
	}
	if s.records[r.Partition] == nil {
		s.records[r.Partition] = map[int64]int{}
	}
	value, err := strconv.Atoi(string(r.Value))
	if before, ok := s.records[r.Partition][r.Offset]; err != nil || ok && before != value {
		s.changed = append(s.changed, fmt.Sprintf("partition %d offset %d: %q was read, %d before", r.Partition, r.Offset, r.Value, before))
	}
	s.records[r.Partition][r.Offset] = value
}

// Count is how many records were read.
func (s *Seen) Count() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, records := range s.records {
		n += len(records)
	}
	return n
}

// Broken says what was read and is not there any more.
func (s *Seen) Broken(topic Topic) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	broken := s.changed
	for partition, records := range s.records {
		held := map[int64]int{}
		last := int64(-1)
		for _, r := range topic[partition] {
			held[r.Offset], last = r.Value, r.Offset
		}
		for offset, value := range records {
			if got, ok := held[offset]; offset <= last && (!ok || got != value) {
				broken = append(broken, fmt.Sprintf("partition %d offset %d: %d was read by a consumer, in the end there is %d (%t)", partition, offset, value, got, ok))
				break
			}
			if offset > last {
				broken = append(broken, fmt.Sprintf("partition %d offset %d: %d was read by a consumer, in the end the last is at %d", partition, offset, value, last))
				break
			}
		}
	}
	return broken
}
