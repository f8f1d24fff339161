package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce requests are carried out while earlier ones wait for their acks. They are answered in order, and what is no Produce waits.
func TestProduceRequestsAreCarriedOutBeforeEarlierOnesAreAnswered(t *testing.T) {
	served := make(chan string, 10)
	acks := []chan struct{}{make(chan struct{}), make(chan struct{})}
	address, _ := serve(t, func(_ context.Context, r *Request) kmsg.Response {
		served <- fmt.Sprint(kmsg.NameForKey(r.Key), r.CorrelationID)
		if r.Key != keyProduce || r.CorrelationID == 2 {
			return r.Body.ResponseKind()
		}
		r.Later(func() kmsg.Response { <-acks[r.CorrelationID]; return r.Body.ResponseKind() })
		return nil
	})
	conn := dial(t, address)
	format := kmsg.NewRequestFormatter()
	for id, request := range []kmsg.Request{new(kmsg.ProduceRequest), new(kmsg.ProduceRequest), new(kmsg.ProduceRequest), new(kmsg.HeartbeatRequest)} {
		if _, err := conn.Write(format.AppendRequest(nil, request, int32(id))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if got := <-served; got != fmt.Sprint("Produce", i) {
			t.Fatalf("served %s, want the Produce %d", got, i)
		}
	}
	close(acks[1])
	if len(served) > 0 {
		t.Fatal("a Heartbeat was served while Produce requests were not answered")
	}
	close(acks[0])
	var answered []int32
	for range 4 {
		frame, err := readFrame(conn, nil, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		answered = append(answered, int32(binary.BigEndian.Uint32(frame)))
	}
	if !slices.Equal(answered, []int32{0, 1, 2, 3}) {
		t.Errorf("answered %v", answered)
	}
}

// Every request has its moments in their order, whether it is answered at once or later.
func TestTheMomentsOfARequest(t *testing.T) {
	seen := make(chan Times, 2)
	address, _ := serve(t, func(_ context.Context, r *Request) kmsg.Response {
		r.Written(func(answer kmsg.Response) {
			if answer == nil {
				t.Error("no answer")
			}
			seen <- r.Times
		})
		if r.Key != keyProduce {
			return r.Body.ResponseKind()
		}
		r.Later(func() kmsg.Response { return r.Body.ResponseKind() })
		return nil
	})
	conn := dial(t, address)
	format := kmsg.NewRequestFormatter()
	for id, request := range []kmsg.Request{new(kmsg.ProduceRequest), new(kmsg.HeartbeatRequest)} {
		if _, err := conn.Write(format.AppendRequest(nil, request, int32(id))); err != nil {
			t.Fatal(err)
		}
		at := <-seen
		moments := []time.Time{at.Arrived, at.Began, at.Handled, at.Known, at.Turn, at.Sent}
		if at.Arrived.IsZero() || !slices.IsSortedFunc(moments, time.Time.Compare) {
			t.Errorf("request %d: %v", id, moments)
		}
	}
}

func TestAnAnswerThatPanicsClosesItsConnection(t *testing.T) {
	address, log := serve(t, func(_ context.Context, r *Request) kmsg.Response {
		r.Later(func() kmsg.Response { panic("no acks") })
		return nil
	})
	conn := dial(t, address)
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, new(kmsg.ProduceRequest), 1)); err != nil {
		t.Fatal(err)
	}
	if frame, err := readFrame(conn, nil, 1<<20); err == nil {
		t.Errorf("answered %x", frame)
	}
	if !strings.Contains(log.String(), "no acks") {
		t.Errorf("log: %s", log)
	}
}

// The records of a reply to Fetch lie where the next one's will, in a client that recycles; other replies have their own memory.
func TestARecyclingClientReadsRecordsIntoOneBuffer(t *testing.T) {
	text := byte('a')
	address, _ := serve(t, func(_ context.Context, r *Request) kmsg.Response {
		response, ok := r.Body.ResponseKind().(*kmsg.FetchResponse)
		if !ok {
			return r.Body.ResponseKind()
		}
		part := kmsg.NewFetchResponseTopicPartition()
		part.RecordBatches = slices.Repeat([]byte{text}, 10_000)
		text++
		response.Topics = []kmsg.FetchResponseTopic{{Partitions: []kmsg.FetchResponseTopicPartition{part}}}
		return response
	})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	client := NewClient(conn, "follower")
	defer client.Close()
	client.Recycle()
	fetch := func() []byte {
		response, err := client.Request(t.Context(), &kmsg.FetchRequest{Version: 12})
		if err != nil {
			t.Fatal(err)
		}
		return response.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches
	}
	first := fetch()
	if _, err := client.Request(t.Context(), &kmsg.HeartbeatRequest{}); err != nil {
		t.Fatal(err)
	}
	if len(first) != 10_000 || first[0] != 'a' || first[9_999] != 'a' {
		t.Errorf("records changed before the next Fetch: %.20q", first)
	}
	if second := fetch(); second[0] != 'b' || &second[0] != &first[0] {
		t.Errorf("the second reply has memory of its own, or %q", second[0])
	}
}
