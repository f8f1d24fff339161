package admin

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestSnapshotsShareTopicsThatDidNotChange(t *testing.T) {
	w := newWorld(Config{})
	for _, name := range []string{"orders", "payments", "refunds"} {
		w.change(name, 1, func(p *Partition) { p.Leader, p.LeaderEpoch, p.ISR = 1, 1, []int32{1, 2} })
	}
	first := w.snapshot(time.Now())
	w.change("payments", 1, func(p *Partition) { p.ISR = []int32{1, 2} }) // as it is already
	if again := w.snapshot(time.Now()); &again.Topics[0] != &first.Topics[0] {
		t.Error("nothing changed, and the list of topics is another one")
	}
	w.change("payments", 1, func(p *Partition) { p.Leader, p.LeaderEpoch = 2, 2 })
	w.change("payments", 0, func(p *Partition) { p.End = 7 })
	second := w.snapshot(time.Now())
	for i, changed := range []bool{false, true, false} {
		if shared := first.Topics[i] == second.Topics[i]; shared == changed {
			t.Errorf("%s: shared %v", first.Topics[i].Name, shared)
		}
	}
	if p := first.Topics[1].Partitions; p[1].Leader != 1 || p[0].End != -1 {
		t.Errorf("a snapshot that was sent has changed: %+v", p)
	}
	if p := second.Topics[1].Partitions; p[1].Leader != 2 || p[0].End != 7 {
		t.Errorf("the change is not in the snapshot: %+v", p)
	}
	w.forgetTopic("orders")
	if third := w.snapshot(time.Now()); len(third.Topics) != 2 || third.Topics[0] != second.Topics[1] {
		t.Errorf("%+v", third.Topics)
	}
}

// TestWhatIsCountedChangeByChangeIsWhatCountingAnewFinds plays random changes.
func TestWhatIsCountedChangeByChangeIsWhatCountingAnewFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	w := newWorld(Config{})
	names := topicNames(20)
	for range 2000 {
		name := names[random.IntN(len(names))]
		switch random.IntN(20) {
		case 0:
			w.forgetTopic(name)
		case 1:
			w.topic(name).MinISR = 1 + random.IntN(2)
		case 2:
			s := w.snapshot(time.Now())
			fresh := *s
			fresh.loads = nil
			if got, want := Check(s), Check(&fresh); got != want {
				t.Fatalf("health %+v, counted anew %+v", got, want)
			}
			loads := map[int32]Load{}
			for id, l := range s.Loads() {
				if l != (Load{}) {
					loads[id] = l
				}
			}
			if !reflect.DeepEqual(loads, fresh.Loads()) || s.PartitionCount() != fresh.PartitionCount() {
				t.Fatalf("loads %v of %d, counted anew %v of %d", loads, s.PartitionCount(), fresh.Loads(), fresh.PartitionCount())
			}
			if !slices.IsSortedFunc(s.Topics, func(a, b *Topic) int { return byName(a, b.Name) }) {
				t.Fatal("topics are not sorted")
			}
		default:
			w.change(name, random.Int32N(4), func(p *Partition) {
				p.Leader, p.LeaderEpoch, p.Replicas = random.Int32N(4)-1, 1, []int32{0, 1, 2}
				p.ISR = p.Replicas[:random.IntN(4)]
			})
		}
	}
}
