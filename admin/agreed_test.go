package admin

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestInSyncIsWhoSaysSoToo(t *testing.T) {
	told := func(isr ...[]int32) *kmsg.MetadataResponse {
		m := kmsg.NewPtrMetadataResponse()
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic = kmsg.StringPtr("orders")
		for id, isr := range isr {
			p := kmsg.NewMetadataResponseTopicPartition()
			p.Partition, p.Replicas, p.ISR = int32(id), []int32{1, 2}, slices.Clone(isr)
			topic.Partitions = append(topic.Partitions, p)
		}
		m.Topics = append(m.Topics, topic)
		return m
	}
	both := []int32{1, 2}
	tests := []struct {
		name string
		own  map[int32]*kmsg.MetadataResponse
		want [][]int32
	}{
		{"all agree", map[int32]*kmsg.MetadataResponse{1: told(both, both), 2: told(both, both)}, [][]int32{{1, 2}, {1, 2}}},
		{"one knows that it is out", map[int32]*kmsg.MetadataResponse{1: told(both, []int32{2}), 2: told(both, both)}, [][]int32{{1, 2}, {2}}},
		{"the controller has not met one yet", map[int32]*kmsg.MetadataResponse{1: told(), 2: told(both, both)}, [][]int32{{2}, {2}}},
		{"one does not answer", map[int32]*kmsg.MetadataResponse{1: told(both, both)}, [][]int32{{1}, {1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := told(both, both)
			agree(m, tt.own)
			for i, want := range tt.want {
				if got := m.Topics[0].Partitions[i].ISR; !slices.Equal(got, want) {
					t.Errorf("orders/%d: %v, want %v", i, got, want)
				}
			}
		})
	}
}
