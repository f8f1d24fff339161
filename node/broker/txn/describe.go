package txn

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeTransactions (key 65, version 0).
func (c *Coordinator) DescribeTransactions(_ context.Context, req *kmsg.DescribeTransactionsRequest) *kmsg.DescribeTransactionsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	for _, id := range req.TransactionalIDs {
		out := kmsg.NewDescribeTransactionsResponseTransactionState()
		out.TransactionalID, out.ProducerID, out.ProducerEpoch = id, -1, -1
		t, err := c.known(id)
		if err == kerr.InvalidProducerIDMapping {
			err = kerr.TransactionalIDNotFound
		}
		if out.ErrorCode = code(err); err == nil {
			t.now().describe(&out)
		}
		resp.TransactionStates = append(resp.TransactionStates, out)
	}
	return resp
}

func (m metadata) describe(out *kmsg.DescribeTransactionsResponseTransactionState) {
	out.State, out.TimeoutMillis, out.StartTimestamp = names[m.state], int32(m.timeout.Milliseconds()), -1
	out.ProducerID, out.ProducerEpoch = m.id, m.epoch
	if !m.started.IsZero() && (m.state == ongoing || m.preparing()) {
		out.StartTimestamp = m.started.UnixMilli()
	}
	for _, at := range sorted(m.partitions) {
		if n := len(out.Topics); n == 0 || out.Topics[n-1].Topic != at.topic {
			t := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
			t.Topic = at.topic
			out.Topics = append(out.Topics, t)
		}
		t := &out.Topics[len(out.Topics)-1]
		t.Partitions = append(t.Partitions, at.partition)
	}
}

// ListTransactions (key 66, versions 0-1): those that this broker coordinates.
func (c *Coordinator) ListTransactions(_ context.Context, req *kmsg.ListTransactionsRequest) *kmsg.ListTransactionsResponse {
	resp := req.ResponseKind().(*kmsg.ListTransactionsResponse)
	known := slices.Collect(maps.Values(names))
	for _, s := range req.StateFilters {
		if !slices.Contains(known, s) {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, s)
		}
	}
	ids, loading := c.led.All()
	if loading {
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		return resp
	}
	for _, t := range ids {
		m := t.now()
		out := kmsg.NewListTransactionsResponseTransactionState()
		out.TransactionalID, out.ProducerID, out.TransactionState = t.id, m.id, names[m.state]
		switch {
		case m.epoch < 0: // its first producer is not stored yet
		case len(req.StateFilters) > 0 && !slices.Contains(req.StateFilters, out.TransactionState):
		case len(req.ProducerIDFilters) > 0 && !slices.Contains(req.ProducerIDFilters, m.id):
		case req.Version >= 1 && req.DurationFilterMillis >= 0 && (m.state != ongoing || time.Since(m.started).Milliseconds() < req.DurationFilterMillis):
		default:
			resp.TransactionStates = append(resp.TransactionStates, out)
		}
	}
	slices.SortFunc(resp.TransactionStates, func(a, b kmsg.ListTransactionsResponseTransactionState) int {
		return strings.Compare(a.TransactionalID, b.TransactionalID)
	})
	return resp
}
