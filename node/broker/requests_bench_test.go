package broker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

// BenchmarkServed is what it costs to count and time a request.
func BenchmarkServed(b *testing.B) {
	r := newRequests()
	at := time.Now()
	req := &wire.Request{Key: 0, Version: 9, Body: kmsg.NewPtrProduceRequest(), Times: wire.Times{Arrived: at, Began: at, Handled: at, Known: at, Turn: at, Sent: at}}
	answer := kmsg.NewPtrProduceResponse()
	answer.Topics = []kmsg.ProduceResponseTopic{{Partitions: make([]kmsg.ProduceResponseTopicPartition, 3)}}
	for b.Loop() {
		r.served(req, answer)
	}
}
