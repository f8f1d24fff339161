package records

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func values(list []Record) string {
	var all []string
	for _, r := range list {
		all = append(all, strings.TrimPrefix(string(r.Value), "value-"))
	}
	return strings.Join(all, " ")
}

func sorted(list []Record) []Record {
	slices.SortFunc(list, func(a, b Record) int { return a.Time.Compare(b.Time) })
	return list
}

func mustFilter(t *testing.T, field Field, text string) Filter {
	t.Helper()
	f, err := ParseFilter(field, text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWhereATailBeginsAndWhatItShows(t *testing.T) {
	_, seeds := cluster(t)
	send(t, seeds, numbered(0, 10)...)
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"from the beginning", Spec{Start: Start{Kind: StartBeginning}}, "0 1 2 3 4 5 6 7 8 9"},
		{"the last three, over all partitions", Spec{Start: Start{Kind: StartLast, Last: 3}}, "7 8 9"},
		{"more than there are", Spec{Start: Start{Kind: StartLast, Last: 30}}, "0 1 2 3 4 5 6 7 8 9"},
		{"since a time", Spec{Start: Start{Kind: StartTime, Time: day.Add(6 * time.Minute)}}, "6 7 8 9"},
		{"since a time to come", Spec{Start: Start{Kind: StartTime, Time: day.Add(time.Hour)}}, ""},
		{"from the end, without following", Spec{Start: Start{Kind: StartEnd}}, ""},
		{"one partition", Spec{Start: Start{Kind: StartBeginning}, Partitions: []int32{1}}, "1 3 5 7 9"},
		{"by key", Spec{Start: Start{Kind: StartBeginning}, Filters: []Filter{mustFilter(t, FieldKey, "^key-[12]$")}}, "1 2 6 7"},
		{"by value", Spec{Start: Start{Kind: StartBeginning}, Filters: []Filter{mustFilter(t, FieldValue, "-[3-5]$")}}, "3 4 5"},
		{"by header", Spec{Start: Start{Kind: StartBeginning}, Filters: []Filter{mustFilter(t, FieldHeader, "^n=8$")}}, "8"},
		{"by what does not match", Spec{Start: Start{Kind: StartBeginning}, Filters: []Filter{mustFilter(t, FieldAny, "!key-[0-3]")}}, "4 9"},
		{"by two filters", Spec{Start: Start{Kind: StartBeginning}, Filters: []Filter{mustFilter(t, FieldKey, "1"), mustFilter(t, FieldValue, "!value-1")}}, "6"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.spec.Topic = "orders"
			if got := values(sorted(collect(t, tt.spec, seeds))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := collect(t, Spec{Topic: "orders", Start: Start{Kind: StartBeginning}, Max: 4}, seeds); len(got) != 4 {
		t.Errorf("max 4: %d records", len(got))
	}
}

func TestATailFollowsThroughAChangeOfLeader(t *testing.T) {
	c, seeds := cluster(t)
	// A broker says where an epoch ended as soon as it leads; the fake one only after a record of the new epoch, and clients
	// take that for lost records.
	c.ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		response := request.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		for _, topic := range request.(*kmsg.OffsetForLeaderEpochRequest).Topics {
			answer := kmsg.NewOffsetForLeaderEpochResponseTopic()
			answer.Topic = topic.Topic
			for _, asked := range topic.Partitions {
				end := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
				end.Partition, end.LeaderEpoch, end.EndOffset = asked.Partition, 0, 1
				answer.Partitions = append(answer.Partitions, end)
			}
			response.Topics = append(response.Topics, answer)
		}
		return response, nil, true
	})
	got := make(chan string, 10)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- NewTail(Spec{Topic: "orders", Start: Start{Kind: StartBeginning}, Follow: true}, seeds).Each(ctx, func(r Record) error {
			got <- values([]Record{r})
			return nil
		})
	}()
	expect := func(want string) {
		t.Helper()
		select {
		case v := <-got:
			if v != want {
				t.Errorf("got %s, want %s", v, want)
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("%s never came", want)
		}
	}
	send(t, seeds, numbered(0, 1)...)
	expect("0")
	if err := c.MoveTopicPartition("orders", 0, (c.LeaderFor("orders", 0)+1)%3); err != nil {
		t.Fatal(err)
	}
	send(t, seeds, numbered(2, 3)...)
	expect("2")
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

func TestASlowReaderGetsTheNewestAndHearsWhatItMissed(t *testing.T) {
	_, seeds := cluster(t)
	send(t, seeds, numbered(0, 500)...)
	tail := NewTail(Spec{Topic: "orders", Start: Start{Kind: StartBeginning}, Buffer: 20}, seeds)
	if err := tail.Run(t.Context()); err != nil { // nobody reads meanwhile
		t.Fatal(err)
	}
	var last Batch
	for b := range tail.Batches() {
		last = b
	}
	if len(last.Records) != 20 || last.Missed != 480 || last.Read != 500 {
		t.Errorf("%d records, %d missed, %d read", len(last.Records), last.Missed, last.Read)
	}
}

func TestATailOfWhatIsNotThere(t *testing.T) {
	_, seeds := cluster(t)
	for want, spec := range map[string]Spec{
		"there is no topic nope: kdrill topics lists them": {Topic: "nope"},
		"topic orders has no partition 7, only 0 to 1":     {Topic: "orders", Partitions: []int32{7}},
	} {
		err := NewTail(spec, seeds).Each(t.Context(), func(Record) error { return nil })
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestARecordAsJSONKeepsWhatIsNotText(t *testing.T) {
	r := Record{Topic: "orders", Key: []byte("k\xff"), Headers: []Header{{"a", []byte("b")}, {"c", nil}}}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"key":null,"key_base64":"a/8="`, `"value":null,"headers"`, `[{"key":"a","value":"b"},{"key":"c","value":null}]`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("%s lacks %s", data, part)
		}
	}
}

func TestTextForPeople(t *testing.T) {
	for in, want := range map[string]string{"입금": "입금", "a\x1b[31m\tb": "a␛[31m\tb", "\xff\x00": "0xff00", "": ""} {
		if got := Text([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAProducerSumsUp(t *testing.T) {
	_, seeds := cluster(t)
	for _, spec := range []Produce{
		{Partition: -1, Idempotent: true, Compression: "zstd"}, {Partition: 1, Acks: AcksLeader}, {Partition: -1, Acks: AcksNone, Compression: "lz4"},
	} {
		spec.Topic = "orders"
		p, err := NewProducer(spec, seeds)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			p.Send(t.Context(), Record{Key: []byte("k"), Value: []byte("v")})
		}
		s, err := p.Close(t.Context())
		if err != nil || s.Acked != 100 || s.Failed != 0 || s.Bytes != 200 {
			t.Errorf("%+v: %+v, %v", spec, s, err)
		}
	}
}

func TestAProducerWhoseRecordsAreRefusedSaysSo(t *testing.T) {
	_, seeds := cluster(t)
	p, err := NewProducer(Produce{Topic: "orders", Partition: 9, Timeout: 2 * time.Second}, seeds)
	if err != nil {
		t.Fatal(err)
	}
	p.Send(t.Context(), Record{Value: []byte("v")})
	if s, err := p.Close(t.Context()); err == nil || s.Failed != 1 || !strings.HasPrefix(err.Error(), "1 of 1 records were not acknowledged: ") {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWhatAProducerCannotDo(t *testing.T) {
	for want, spec := range map[string]Produce{
		"acks 2: must be 0, 1 or all":                              {Acks: "2"},
		"compression rar: must be none, gzip, snappy, lz4 or zstd": {Compression: "rar"},
		"an idempotent producer needs acks all":                    {Acks: AcksLeader, Idempotent: true},
	} {
		if _, err := NewProducer(spec, kgo.SeedBrokers("127.0.0.1:1")); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
