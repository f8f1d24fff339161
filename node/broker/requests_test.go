package broker

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

func TestErrorCodesInAnswers(t *testing.T) {
	var counts errorCounts
	produce := kmsg.NewPtrProduceResponse()
	produce.Topics = []kmsg.ProduceResponseTopic{{Partitions: []kmsg.ProduceResponseTopicPartition{{}, {ErrorCode: 6}, {ErrorCode: 6}}}, {Partitions: []kmsg.ProduceResponseTopicPartition{{ErrorCode: 7}}}}
	fetch := kmsg.NewPtrFetchResponse()
	fetch.Version = 12
	fetch.Topics = []kmsg.FetchResponseTopic{{Partitions: []kmsg.FetchResponseTopicPartition{{}, {ErrorCode: 1}}}}
	metadata := kmsg.NewPtrMetadataResponse()
	metadata.Topics = []kmsg.MetadataResponseTopic{{ErrorCode: 3}, {Partitions: []kmsg.MetadataResponseTopicPartition{{ErrorCode: 5}, {}}}}
	heartbeat := kmsg.NewPtrHeartbeatResponse()
	heartbeat.ErrorCode = 27
	for _, c := range []struct {
		answer kmsg.Response
		want   string
	}{
		{produce, "[0 x1 6 x2 7 x1]"},
		{fetch, "[0 x2 1 x1]"},
		{metadata, "[3 x1 0 x1 5 x1 0 x1]"},
		{heartbeat, "[27 x1]"},
		{heartbeat, "[27 x1]"},
		{kmsg.NewPtrSASLHandshakeResponse(), "[0 x1]"},
	} {
		var got []string
		counts.In(c.answer, func(code int16, n int) { got = append(got, fmt.Sprintf("%d x%d", code, n)) })
		if fmt.Sprint(got) != c.want {
			t.Errorf("%T: %v, want %s", c.answer, got, c.want)
		}
	}
}

// A request waits 1 ms in the queue, is worked on for 2, waits 4 for others, 8 for its turn, and 16 to be sent; its
// connection rests 32 ms then.
func TestTheWayOfARequestIsTimed(t *testing.T) {
	r := newRequests()
	at := time.Unix(1000, 0)
	after := func(ms int) time.Time { at = at.Add(time.Duration(ms) * time.Millisecond); return at }
	answer := kmsg.NewPtrHeartbeatResponse()
	answer.ErrorCode = kerr.UnknownMemberID.Code
	req := &wire.Request{Key: 12, Version: 4, Body: kmsg.NewPtrHeartbeatRequest(), Waited: 3 * time.Millisecond, Throttle: 32 * time.Millisecond}
	req.Times = wire.Times{Arrived: at}
	req.Times.Began, req.Times.Handled, req.Times.Known, req.Times.Turn, req.Times.Sent = after(1), after(5), after(1), after(8), after(16)
	r.served(req, answer)
	join := &wire.Request{Key: 11, Body: kmsg.NewPtrJoinGroupRequest()}
	join.Times = wire.Times{Arrived: at, Began: at}
	after(50)
	join.Times.Handled, join.Times.Known, join.Times.Turn, join.Times.Sent = at, at, at, at
	r.served(join, nil)
	fetch := &wire.Request{Key: 1, Body: kmsg.NewPtrFetchRequest()}
	fetch.Times = wire.Times{Arrived: at, Began: at, Handled: at, Known: at, Turn: at, Sent: at}
	fetched := kmsg.NewPtrFetchResponse()
	fetched.Version, fetched.ErrorCode = 13, kerr.FetchSessionIDNotFound.Code
	r.served(fetch, fetched)

	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r.all()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetSummary().GetSampleSum() + m.GetHistogram().GetSampleSum()
		}
	}
	const prefix = "kafka_network_requestmetrics_"
	for name, want := range map[string]float64{
		"requests_total Heartbeat 4": 1, "errors_total UNKNOWN_MEMBER_ID Heartbeat": 1, "totaltimems Heartbeat": 31,
		"requestqueuetimems Heartbeat": 1, "localtimems Heartbeat": 2, "remotetimems Heartbeat": 4, "throttletimems Heartbeat": 32,
		"responsequeuetimems Heartbeat": 8, "responsesendtimems Heartbeat": 16,
		"localtimems JoinGroup": 0, "remotetimems JoinGroup": 50,
		"requests_total Fetch 0": 1, "requests_total FetchConsumer 0": 1, "errors_total FETCH_SESSION_ID_NOT_FOUND Fetch": 1,
	} {
		if v, ok := got[prefix+name]; !ok || v != want {
			t.Errorf("%s: %v, there: %v, want %v", name, v, ok, want)
		}
	}
}
