package controller

import (
	"slices"
	"testing"
)

func TestBrokersAreComparedByIDAndEpoch(t *testing.T) {
	known := map[int32]broker{1: {id: 1, epoch: 10}, 2: {id: 2, epoch: 11}, 3: {id: 3, epoch: 12}, 4: {id: 4, epoch: 13}}
	diff := diffBrokers(known, []broker{{id: 6, epoch: 21}, {id: 1, epoch: 10}, {id: 3, epoch: 20}, {id: 4, epoch: 9}, {id: 5, epoch: 22}})
	if !slices.Equal(ids(diff.joined), []int32{5, 6}) || !slices.Equal(ids(diff.left), []int32{2}) || !slices.Equal(ids(diff.bounced), []int32{3}) {
		t.Errorf("joined %v, left %v, bounced %v", ids(diff.joined), ids(diff.left), ids(diff.bounced))
	}
	if !slices.Equal(diff.gone(), []int32{2, 3}) || !slices.Equal(diff.fresh(), []int32{3, 5, 6}) {
		t.Errorf("gone %v, fresh %v", diff.gone(), diff.fresh())
	}
	if diff.bounced[0].epoch != 20 {
		t.Error("a bounced broker must come with its new registration")
	}
}
