package admin

import (
	"slices"
	"testing"
	"time"
)

// large is a cluster of 5,000 topics of six partitions, of which everything is known.
func large() *world {
	w := newWorld(Config{})
	for _, name := range topicNames(5000) {
		for id := range int32(6) {
			w.change(name, id, func(p *Partition) {
				w.replicas(p, []int32{id%3 + 1, (id+1)%3 + 1})
				p.Leader, p.LeaderEpoch, p.ISR, p.Start, p.End = p.Replicas[0], 1, p.Replicas, 0, 100
			})
		}
	}
	w.snapshot(time.Now())
	return w
}

func TestTopicsThatNobodyLooksAtTakeTurns(t *testing.T) {
	w := large()
	interest := Interest{AllOffsets: true, Offsets: []string{"topic-0007", "topic-4000"}}
	var at turn
	rounds := map[string]int{}
	const refreshes = 15 // 30,000 partitions, 2,000 in each
	for range refreshes {
		asked := 0
		for _, wanted := range w.offsetsWanted(interest, &at) {
			for _, one := range wanted.all() {
				asked += len(one.partitions)
				if slices.Contains(one.partitions, 0) {
					rounds[one.topic]++
				}
			}
		}
		if most := offsetsAtOnce + 6 + 2*6; asked > most {
			t.Fatalf("%d partitions asked about in one refresh, want at most %d", asked, most)
		}
	}
	for _, name := range topicNames(5000) {
		least, most := 1, 2 // a turn takes whole topics: a few come again at the end
		if slices.Contains(interest.Offsets, name) {
			least, most = refreshes, refreshes
		}
		if n := rounds[name]; n < least || n > most {
			t.Fatalf("%s was asked about %d times in %d refreshes, want %d to %d", name, n, refreshes, least, most)
		}
	}
}

func TestQuietTopicsAreAskedAboutEveryOtherTime(t *testing.T) {
	w := large()
	for _, name := range topicNames(5000) {
		w.change(name, 0, func(p *Partition) { p.PerSecond = 0 })
	}
	w.change("topic-0100", 0, func(p *Partition) { p.PerSecond = 3 })
	w.snapshot(time.Now())
	var at turn
	asked := map[string]int{}
	const laps = 6
	for range laps * 15 {
		for _, wanted := range w.offsetsWanted(Interest{AllOffsets: true}, &at) {
			for _, one := range wanted.turn {
				if slices.Contains(one.partitions, 0) {
					asked[one.topic]++
				}
			}
		}
	}
	for name, want := range map[string]int{"topic-0100": laps, "topic-0101": laps / 2, "topic-3000": laps / 2} {
		if n := asked[name]; n < want || n > want+1 { // a turn takes whole topics: a few come again at the end
			t.Errorf("%s was asked about %d times in %d laps, want %d", name, n, laps, want)
		}
	}
}

func TestLogStartsOfTopicsThatNobodyLooksAtAreAskedRarely(t *testing.T) {
	w := large()
	w.change("topic-3000", 1, func(p *Partition) { p.Start = -1 })
	w.snapshot(time.Now())
	at := turn{lap: 1}
	known, unknown := 0, 0
	const laps = 2 * startLaps
	for range laps * 15 {
		for _, wanted := range w.offsetsWanted(Interest{AllOffsets: true}, &at) {
			for _, one := range wanted.starts {
				switch {
				case one.topic == "topic-4711" && slices.Contains(one.partitions, 1):
					known++
				case one.topic == "topic-3000" && slices.Contains(one.partitions, 1):
					unknown++
				}
			}
		}
	}
	if known != 2 {
		t.Errorf("a start that is known was asked %d times in %d laps, want 2", known, laps)
	}
	if unknown != laps*15 {
		t.Errorf("one that is not was asked %d times in %d refreshes", unknown, laps*15)
	}
}

func TestPartitionsThatWereNeverReadComeFirst(t *testing.T) {
	w := large()
	w.change("topic-4999", 3, func(p *Partition) { p.End = -1 })
	w.snapshot(time.Now())
	var found []int32
	for _, wanted := range w.offsetsWanted(Interest{AllOffsets: true}, &turn{}) {
		for _, one := range wanted.turn {
			if one.topic == "topic-4999" {
				found = append(found, one.partitions...)
			}
		}
	}
	if !slices.Equal(found, []int32{3}) {
		t.Errorf("of the topic that is last in turn, partitions %v are asked about, want the one that was never read", found)
	}
}

func TestALongListIsAskedInPieces(t *testing.T) {
	list := asked{{"a", make([]int32, 3)}, {"b", make([]int32, 3)}, {"c", make([]int32, 1)}}
	pieces := list.pieces(5)
	if len(pieces) != 2 || len(pieces[0]) != 2 || len(pieces[1]) != 1 {
		t.Errorf("%v", pieces)
	}
	if none := (asked{}).pieces(5); len(none) != 0 {
		t.Errorf("no partitions make %d requests", len(none))
	}
}

func TestHowOftenAllTopicsAreAskedFor(t *testing.T) {
	const interval = time.Second
	var r rare
	start := time.Now()
	count := func(from, to int, told bool) (n int) {
		for second := from; second < to; second++ {
			if r.due(start.Add(time.Duration(second)*interval), interval, told) {
				n++
			}
		}
		return n
	}
	if n := count(0, 60, false); n != 60 {
		t.Errorf("%d times in a minute while nobody tells of changes, want each of 60", n)
	}
	count(60, 120, true)
	if n := count(120, 180, true); n != 4 {
		t.Errorf("%d times in a minute in which nothing changes, want 4", n)
	}
	r.soon()
	if n := count(180, 181, true); n != 1 {
		t.Error("not at once after a change")
	}
	if n := count(181, 190, true); n != 3 {
		t.Errorf("%d times in the nine seconds after it, want 3: after 1, 2 and 4", n)
	}
	if n := count(190, 200, false); n != 10 {
		t.Errorf("%d of 10 times after ZooKeeper fell silent", n)
	}
}
