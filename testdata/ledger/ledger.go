// Package ledger writes to a cluster while it suffers, notes what it was promised, and says afterwards what was broken.
//
// Three parties work until their context ends, each in a goroutine of the caller: [Promises.Write] is an idempotent producer
// that waits for all replicas, [Transactions.Write] commits and aborts transactions, and [Seen.Read] is a consumer. What
// they note is compared with what the topic holds in the end ([ReadAll]): nothing acknowledged or read may be missing,
// doubled or out of order, and a transaction is there whole or not at all.
//
// Every type has one mutex and may be asked while its party works.
package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Promises are the records that a cluster has acknowledged: per partition their values, in the order of sending.
type Promises struct {
	mu      sync.Mutex
	acked   map[int32][]int
	refused []error
}

// Write sends consecutive numbers round robin to the partitions of the client's default topic until ctx ends, then waits for what is under way.
// The client partitions manually and waits for the acks of all replicas.
func (p *Promises) Write(ctx context.Context, client *kgo.Client, partitions int) {
	for value := 0; ctx.Err() == nil; value++ {
		r := &kgo.Record{Partition: int32(value % partitions), Value: []byte(strconv.Itoa(value))}
		// Not ctx: a record that was handed over is always brought to an end.
		client.Produce(context.Background(), r, func(r *kgo.Record, err error) { p.note(r.Partition, value, err) })
	}
	_ = client.Flush(context.Background())
}

func (p *Promises) note(partition int32, value int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.acked == nil {
		p.acked = map[int32][]int{}
	}
	if err != nil {
		p.refused = append(p.refused, err)
		return
	}
	p.acked[partition] = append(p.acked[partition], value)
}

// Count is how many records were acknowledged so far.
func (p *Promises) Count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, values := range p.acked {
		n += len(values)
	}
	return n
}

// Broken compares the promises with what was read in the end: records refused, lost, doubled or out of order.
func (p *Promises) Broken(topic Topic) (broken []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.refused) > 0 {
		broken = append(broken, fmt.Sprintf("%d records were refused, the first with: %v", len(p.refused), p.refused[0]))
	}
	for partition, acked := range p.acked {
		got := topic.values(partition)
		broken = append(broken, disorder(partition, got)...)
		i := 0
		for _, want := range acked {
			for i < len(got) && got[i] < want {
				i++
			}
			if i == len(got) || got[i] != want {
				broken = append(broken, fmt.Sprintf("partition %d: %d was acknowledged and is lost, around it: %s", partition, want, around(got, i)))
				break
			}
		}
	}
	return broken
}

// disorder finds the first value that does not follow a smaller one.
func disorder(partition int32, values []int) []string {
	for i := 1; i < len(values); i++ {
		if values[i] <= values[i-1] {
			return []string{fmt.Sprintf("partition %d: %d comes after %d: %s", partition, values[i], values[i-1], around(values, i))}
		}
	}
	return nil
}

func around(values []int, i int) string {
	var text strings.Builder
	for _, v := range values[max(0, i-5):min(len(values), i+5)] {
		fmt.Fprintf(&text, "%d ", v)
	}
	return text.String()
}

// Topic is what the partitions of a topic hold.
type Topic map[int32][]Record

// Record is a value with its place.
type Record struct {
	Offset int64
	Value  int
}

func (t Topic) values(partition int32) (values []int) {
	for _, r := range t[partition] {
		values = append(values, r.Value)
	}
	return values
}

// ReadAll reads every partition from its start to the end that it has when reading starts. The client consumes the topic from its
// start; if it reads committed records only, the end is that of the committed ones. Of a topic with transactions it keeps control
// records, since one may be the last.
func ReadAll(ctx context.Context, client *kgo.Client, topic string, committed bool) (Topic, error) {
	admin := kadm.NewClient(client)
	list := admin.ListEndOffsets
	if committed {
		list = admin.ListCommittedOffsets
	}
	ends, err := list(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	left := map[int32]bool{}
	ends.Each(func(o kadm.ListedOffset) { left[o.Partition] = o.Offset > 0 })
	read := Topic{}
	for open(left) {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, _ := ends.Lookup(topic, r.Partition)
			if r.Offset+1 >= end.Offset {
				left[r.Partition] = false
			}
			if r.Attrs.IsControl() || r.Offset >= end.Offset {
				return
			}
			value, convErr := strconv.Atoi(string(r.Value))
			if convErr != nil {
				err = fmt.Errorf("partition %d offset %d: %q was never written", r.Partition, r.Offset, r.Value)
			}
			read[r.Partition] = append(read[r.Partition], Record{r.Offset, value})
		})
		if err != nil {
			return nil, err
		}
	}
	return read, nil
}

func open(left map[int32]bool) bool {
	for _, l := range left {
		if l {
			return true
		}
	}
	return false
}
