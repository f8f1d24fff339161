package ledger

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func holds(values ...int) Topic {
	t := Topic{}
	for i, v := range values {
		t[0] = append(t[0], Record{int64(i), v})
	}
	return t
}

func TestBrokenPromises(t *testing.T) {
	for _, c := range []struct {
		name  string
		topic Topic
		want  string // part of what is said, "" for nothing
	}{
		{"kept", holds(0, 1, 2), ""},
		{"one more that was not acknowledged", holds(0, 1, 2, 3), ""},
		{"lost at the end", holds(0, 1), "2 was acknowledged and is lost"},
		{"lost between", holds(0, 2), "1 was acknowledged and is lost"},
		{"twice", holds(0, 1, 1, 2), "1 comes after 1"},
		{"out of order", holds(0, 2, 1), "1 comes after 2"},
	} {
		var p Promises
		for v := range 3 {
			p.note(0, v, nil)
		}
		if got := strings.Join(p.Broken(c.topic), "; "); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	var refused Promises
	refused.note(0, 0, errors.New("no"))
	if len(refused.Broken(holds())) != 1 {
		t.Error("a refused record is not told")
	}
}

func TestBrokenTransactions(t *testing.T) {
	both := func(first, second []int) Topic { return Topic{0: holds(first...)[0], 1: holds(second...)[0]} }
	ended := []outcome{committed, aborted, unknown}
	for _, c := range []struct {
		name  string
		topic Topic
		want  string
	}{
		{"whole", both([]int{0, 2}, []int{0, 2}), ""},
		{"the unknown one was not committed", both([]int{0}, []int{0}), ""},
		{"half", both([]int{0, 2}, []int{0}), "transaction 2 is in 1 of 2"},
		{"lost", both(nil, nil), "transaction 0 was committed and is lost"},
		{"aborted", both([]int{0, 1}, []int{0, 1}), "transaction 1 was aborted and is read"},
		{"twice", both([]int{0, 0}, []int{0}), "0 comes after 0"},
	} {
		x := Transactions{ended: ended}
		if got := strings.Join(x.Broken(c.topic, 2), "; "); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestWhatWasReadChanges(t *testing.T) {
	var s Seen
	s.note(&kgo.Record{Offset: 1, Value: []byte("7")})
	for name, c := range map[string]struct {
		topic  Topic
		broken bool
	}{
		"still there": {Topic{0: {{1, 7}}}, false},
		"gone":        {Topic{0: {{0, 6}, {2, 7}}}, true},
		"another":     {Topic{0: {{1, 8}}}, true},
		"cut off":     {Topic{0: {{0, 6}}}, true},
	} {
		if got := s.Broken(c.topic); (len(got) > 0) != c.broken {
			t.Errorf("%s: %v", name, got)
		}
	}
}
