package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Start says where a tail begins.
type Start struct {
	Kind StartKind
	Last int       // StartLast: so many records before the end, over all partitions
	Time time.Time // StartTime
}

// StartKind is one way to begin.
type StartKind int

// The ways to begin.
const (
	StartEnd StartKind = iota // what comes from now on
	StartBeginning
	StartLast
	StartTime
)

// Spec says what to tail.
type Spec struct {
	Topic      string
	Partitions []int32 // nil = all
	Start      Start
	Follow     bool // go on at the end; otherwise stop there
	Max        int  // stop after so many matching records; 0 = no end
	Filters    []Filter
	Buffer     int // records that Batches may hold back for a slow reader; 1000 if 0
}

// Tail reads one topic.
type Tail struct {
	spec    Spec
	opts    []kgo.Opt
	batches chan Batch
}

// NewTail makes a tail over connections with these options.
func NewTail(spec Spec, opts ...kgo.Opt) *Tail {
	if spec.Buffer <= 0 {
		spec.Buffer = 1000
	}
	return &Tail{spec: spec, opts: opts, batches: make(chan Batch, 1)}
}

// patience is how long a tail waits for the cluster to tell where a topic begins and ends.
const patience = 10 * time.Second

// Each calls f for every matching record, in the order of their offsets within a partition, until ctx ends, the
// end is reached or f fails. It returns nil when it read all it was asked for.
func (t *Tail) Each(ctx context.Context, f func(Record) error) error {
	r, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer r.client.Close()
	err = r.run(ctx, f)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

var errEnough = errors.New("enough")

// reading is a tail while it runs.
type reading struct {
	spec   Spec
	client *kgo.Client
	ends   map[int32]int64 // where each partition ended at the start; those that are reached are removed
	held   []Record        // StartLast: what was read before the ends were reached
	live   bool            // the ends were reached, records are handed out as they come
	passed int
	seen   func(read int64, problem string) // after each fetch
	read   int64
}

// open finds out where to begin and starts fetching there.
func (t *Tail) open(ctx context.Context) (*reading, error) {
	client, err := kgo.NewClient(append(slices.Clone(t.opts),
		kgo.DialTimeout(2*time.Second), kgo.RequestTimeoutOverhead(2*time.Second),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(10*time.Second),
		kgo.FetchMaxWait(500*time.Millisecond), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)...)
	if err != nil {
		return nil, err
	}
	r := &reading{spec: t.spec, client: client, seen: func(int64, string) {}}
	if err := r.begin(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return r, nil
}

func (r *reading) begin(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	starts, ends, err := r.bounds(limited)
	for again := time.NewTicker(100 * time.Millisecond); kerr.IsRetriable(err) && limited.Err() == nil; { // a partition may just be electing its leader
		select {
		case <-limited.Done():
		case <-again.C:
			starts, ends, err = r.bounds(limited)
		}
	}
	if err != nil {
		if ctx.Err() == nil && limited.Err() != nil {
			return fmt.Errorf("tail %s: its leaders did not tell where it begins and ends within %v", r.spec.Topic, patience)
		}
		return err
	}
	var at map[int32]int64
	switch r.spec.Start.Kind {
	case StartEnd:
		at = ends
	case StartBeginning:
		at = starts
	case StartLast:
		at = map[int32]int64{}
		for p, end := range ends {
			at[p] = max(starts[p], end-int64(r.spec.Start.Last))
		}
	case StartTime:
		if at, err = r.listed(kadm.NewClient(r.client).ListOffsetsAfterMilli(limited, r.spec.Start.Time.UnixMilli(), r.spec.Topic)); err != nil {
			return err
		}
	}
	r.ends = map[int32]int64{}
	offsets := map[int32]kgo.Offset{}
	for p, offset := range at {
		offsets[p] = kgo.NewOffset().At(offset)
		if offset < ends[p] {
			r.ends[p] = ends[p]
		}
	}
	r.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.spec.Topic: offsets})
	return nil
}

// bounds asks where the partitions begin and end.
func (r *reading) bounds(ctx context.Context) (starts, ends map[int32]int64, err error) {
	admin := kadm.NewClient(r.client)
	topics, err := admin.ListTopicsWithInternal(ctx, r.spec.Topic)
	if err != nil {
		return nil, nil, fmt.Errorf("tail %s: %w", r.spec.Topic, err)
	}
	detail := topics[r.spec.Topic]
	if errors.Is(detail.Err, kerr.UnknownTopicOrPartition) || detail.Err == nil && len(detail.Partitions) == 0 {
		return nil, nil, fmt.Errorf("there is no topic %s: kdrill topics lists them", r.spec.Topic)
	}
	if detail.Err != nil {
		return nil, nil, fmt.Errorf("tail %s: %w", r.spec.Topic, detail.Err)
	}
	for _, p := range r.spec.Partitions {
		if _, ok := detail.Partitions[p]; !ok {
			return nil, nil, fmt.Errorf("topic %s has no partition %d, only 0 to %d", r.spec.Topic, p, len(detail.Partitions)-1)
		}
	}
	if starts, err = r.listed(admin.ListStartOffsets(ctx, r.spec.Topic)); err != nil {
		return nil, nil, err
	}
	ends, err = r.listed(admin.ListEndOffsets(ctx, r.spec.Topic))
	return starts, ends, err
}

// listed keeps the offsets of the partitions that are wanted.
func (r *reading) listed(all kadm.ListedOffsets, err error) (map[int32]int64, error) {
	if err == nil {
		err = all.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("tail %s: %w", r.spec.Topic, err)
	}
	offsets := map[int32]int64{}
	for p, o := range all[r.spec.Topic] {
		if len(r.spec.Partitions) == 0 || slices.Contains(r.spec.Partitions, p) {
			offsets[p] = o.Offset
		}
	}
	return offsets, nil
}

func (r *reading) run(ctx context.Context, f func(Record) error) error {
	for {
		if len(r.ends) == 0 && !r.live {
			r.live = true
			if err := r.release(f); err != nil {
				return err
			}
			if !r.spec.Follow {
				return nil
			}
		}
		fetches := r.client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		problem := ""
		fetches.EachError(func(_ string, p int32, err error) {
			problem = fmt.Sprintf("%s/%d: %v", r.spec.Topic, p, err)
		})
		for records := fetches.RecordIter(); !records.Done(); {
			if err := r.take(records.Next(), f); err != nil {
				return err
			}
		}
		r.seen(r.read, problem)
	}
}

// take looks at one record.
func (r *reading) take(k *kgo.Record, f func(Record) error) error {
	end, before := r.ends[k.Partition]
	if before && k.Offset >= end-1 {
		delete(r.ends, k.Partition)
	}
	if !before && !r.spec.Follow {
		return nil
	}
	if k.Attrs.IsControl() {
		return nil
	}
	r.read++
	record := fromKafka(k)
	if !matchAll(r.spec.Filters, &record) {
		return nil
	}
	if r.spec.Start.Kind == StartLast && !r.live {
		r.held = append(r.held, record)
		return nil
	}
	return r.pass(record, f)
}

func (r *reading) pass(record Record, f func(Record) error) error {
	if err := f(record); err != nil {
		return err
	}
	if r.passed++; r.spec.Max > 0 && r.passed >= r.spec.Max {
		return errEnough
	}
	return nil
}

// release hands out the last records before the end, by time.
func (r *reading) release(f func(Record) error) error {
	slices.SortStableFunc(r.held, func(a, b Record) int { return cmp.Or(a.Time.Compare(b.Time), byOffset(a, b)) })
	keep := r.held[max(0, len(r.held)-r.spec.Start.Last):]
	r.held = nil
	for _, record := range keep {
		if err := r.pass(record, f); err != nil {
			return err
		}
	}
	return nil
}

func byOffset(a, b Record) int {
	if a.Partition != b.Partition {
		return 0
	}
	return cmp.Compare(a.Offset, b.Offset)
}
