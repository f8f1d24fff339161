package admin

import (
	"slices"
	"testing"
)

func TestWhoCannotBeSparedIsKnownBeforeItIsTaken(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Snapshot)
		away   []int32
		want   []string
	}{
		{"all replicas are in sync", func(*Snapshot) {}, nil, nil},
		{"min ISR equals the replication factor, and all are in sync", func(s *Snapshot) { s.Topics[0].MinISR = 3 }, nil, nil},
		{"one is left where two are needed", func(s *Snapshot) { partition(s, 1).ISR = []int32{2, 1} }, nil, []string{"orders/1"}},
		{"one is left where one is enough", func(s *Snapshot) { partition(s, 1).ISR = []int32{2, 1}; s.Topics[0].MinISR = 1 }, nil, nil},
		{"nobody is left", func(s *Snapshot) { partition(s, 2).ISR = []int32{1}; s.Topics[0].MinISR = 1 }, nil, []string{"orders/2"}},
		{"the only one in sync of an offline partition", func(s *Snapshot) { *partition(s, 0) = Partition{Leader: -1, Replicas: []int32{2, 1}, ISR: []int32{1}} }, nil, []string{"orders/0"}},
		{"it is out of sync itself", func(s *Snapshot) { partition(s, 1).ISR = []int32{2} }, nil, nil},
		{"it has no replica", func(s *Snapshot) { *partition(s, 1) = Partition{Leader: 2, Replicas: []int32{2, 3}, ISR: []int32{2}} }, nil, nil},
		{"one replica, wherever it is", func(s *Snapshot) { *partition(s, 1) = Partition{Leader: 1, Replicas: []int32{1}, ISR: []int32{1}} }, nil, nil},
		{"another has just died and the cluster has not noticed", func(*Snapshot) {}, []int32{3}, []string{"orders/0", "orders/1", "orders/2"}},
		{"a dead one that has no replica", func(*Snapshot) {}, []int32{4}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := three()
			tt.change(s)
			if got := neededIn(s, 1, tt.away); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
