package ledger

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// outcome is how a transaction ended.
type outcome int

const (
	unknown outcome = iota // the answer to its commit did not come
	committed
	aborted
)

// Transactions are what became of consecutive transactions, each of which writes its number to every partition.
type Transactions struct {
	mu    sync.Mutex
	ended []outcome
	last  error
}

// endTimeout is how long a transaction may take before its producer is given up for a new one, whatever it waits for. The
// client goes on asking a coordinator that hangs, or says that a transaction is not over yet, and does not look whether
// there is another one.
const endTimeout = 5 * time.Second

// Write runs one transaction after the other until ctx ends; each fourth is aborted. open makes a client of the same transactional id,
// which partitions manually; a client that failed is replaced, which fences it off.
func (t *Transactions) Write(ctx context.Context, open func() (*kgo.Client, error), partitions int) {
	var client *kgo.Client
	for n := 0; ctx.Err() == nil; n++ {
		for client == nil && ctx.Err() == nil {
			var err error
			if client, err = open(); err != nil {
				t.failed(err)
			}
		}
		if client == nil {
			return
		}
		end, err := transact(client, n, partitions)
		t.mu.Lock()
		t.ended = append(t.ended, end)
		t.mu.Unlock()
		if err != nil {
			t.failed(err)
			client.Close()
			client = nil
		}
	}
	if client != nil {
		client.Close()
	}
}

func (t *Transactions) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = err
}

// transact runs one transaction. With an error its producer is of no use any more.
func transact(client *kgo.Client, n, partitions int) (outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, client.Close)() // for requests that do not heed ctx
	if err := client.BeginTransaction(); err != nil {
		return aborted, fmt.Errorf("begin: %w", err)
	}
	var records []*kgo.Record
	for p := range partitions {
		records = append(records, &kgo.Record{Partition: int32(p), Value: []byte(strconv.Itoa(n))})
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return aborted, fmt.Errorf("produce: %w", err) // never committed: the next producer aborts it
	}
	if n%4 == 3 {
		return aborted, client.EndTransaction(ctx, kgo.TryAbort)
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return unknown, fmt.Errorf("commit: %w", err)
	}
	return committed, nil
}

// Committed is how many transactions were committed so far.
func (t *Transactions) Committed() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, end := range t.ended {
		if end == committed {
			n++
		}
	}
	return n
}

// Last is why a producer was given up last.
func (t *Transactions) Last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// Broken compares with what a consumer of committed records read: a committed transaction is there, an aborted one is not,
// and any is in all partitions or in none.
func (t *Transactions) Broken(topic Topic, partitions int) (broken []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := make([]int, len(t.ended))
	for p := range int32(partitions) {
		values := topic.values(p)
		broken = append(broken, disorder(p, values)...)
		for _, n := range slices.Compact(values) {
			if n >= len(in) {
				return append(broken, fmt.Sprintf("partition %d: transaction %d was never begun", p, n))
			}
			in[n]++
		}
	}
	for n, end := range t.ended {
		switch {
		case in[n] != 0 && in[n] != partitions:
			broken = append(broken, fmt.Sprintf("transaction %d is in %d of %d partitions", n, in[n], partitions))
		case end == committed && in[n] == 0:
			broken = append(broken, fmt.Sprintf("transaction %d was committed and is lost", n))
		case end == aborted && in[n] != 0:
			broken = append(broken, fmt.Sprintf("transaction %d was aborted and is read", n))
		}
	}
	return broken
}
