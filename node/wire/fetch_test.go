package wire

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A fetch response is written as kmsg would, in every version and whatever is in it.
func TestFetchResponsesAreFramedAsKmsgDoes(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for version := range int16(18) {
		for range 200 {
			response := randomFetch(chance)
			response.SetVersion(version)
			if version < 16 {
				response.Brokers = nil // Kafka has them since then, kmsg writes them always
			}
			want := endFrame(appendResponse(beginFrame(nil), 7, response))
			frame := pieces{text: appendHeader(beginFrame(nil), 7, response)}
			frame.appendFetch(response)
			buffers := frame.buffers()
			got, err := io.ReadAll(&buffers)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("v%d: %+v\n%x\nwant\n%x", version, response, got, want)
			}
		}
	}
}

func randomFetch(chance *rand.Rand) *kmsg.FetchResponse {
	r := kmsg.NewPtrFetchResponse()
	r.ThrottleMillis, r.ErrorCode, r.SessionID = chance.Int32(), int16(chance.IntN(100)), chance.Int32()
	for range chance.IntN(3) {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = "topic"[:chance.IntN(6)]
		topic.TopicID[chance.IntN(16)] = byte(chance.Int32())
		for range chance.IntN(4) {
			topic.Partitions = append(topic.Partitions, randomPartition(chance))
		}
		r.Topics = append(r.Topics, topic)
	}
	for range chance.IntN(3) {
		node := kmsg.NewFetchResponseBroker()
		node.NodeID, node.Host, node.Port = chance.Int32(), "host"[:chance.IntN(5)], chance.Int32()
		if rack := "rack"; chance.IntN(2) == 0 {
			node.Rack = &rack
		}
		r.Brokers = append(r.Brokers, node)
	}
	return r
}

func randomPartition(chance *rand.Rand) kmsg.FetchResponseTopicPartition {
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode, p.HighWatermark = chance.Int32(), int16(chance.IntN(100)), chance.Int64()
	p.LastStableOffset, p.LogStartOffset, p.PreferredReadReplica = chance.Int64(), chance.Int64(), chance.Int32()
	if chance.IntN(2) == 0 {
		p.AbortedTransactions = make([]kmsg.FetchResponseTopicPartitionAbortedTransaction, chance.IntN(3))
		for i := range p.AbortedTransactions {
			p.AbortedTransactions[i].ProducerID, p.AbortedTransactions[i].FirstOffset = chance.Int64(), chance.Int64()
		}
	}
	if chance.IntN(3) == 0 {
		p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = chance.Int32(), chance.Int64()
	}
	if chance.IntN(3) == 0 {
		p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = chance.Int32(), chance.Int32()
	}
	switch chance.IntN(4) {
	case 0:
		p.RecordBatches = bytes.Repeat([]byte{byte(chance.Int32())}, inline+1+chance.IntN(10_000))
	case 1:
		p.RecordBatches = bytes.Repeat([]byte{1}, chance.IntN(inline))
	case 2:
		p.RecordBatches = []byte{}
	}
	return p
}
