package broker

import (
	"testing"
	"time"
)

func TestHowLongABrokerTriesToHandOver(t *testing.T) {
	for _, c := range []struct {
		name                     string
		socket, session, backoff time.Duration
		tries                    int
		want                     time.Duration
	}{
		{"short timeouts", 5 * time.Second, 2 * time.Second, 500 * time.Millisecond, 3, 5 * time.Second},
		{"Apache's", 30 * time.Second, 18 * time.Second, 5 * time.Second, 3, 23 * time.Second},
		{"many attempts", 5 * time.Second, 2 * time.Second, time.Second, 60, time.Minute},
	} {
		if got := handOverTime(c.socket, c.session, c.backoff, c.tries); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAnEarlierSessionMayBeginAnewOnceBeforeItEnds(t *testing.T) {
	const session = 2 * time.Second
	if got := patience(session); got < 2*session+time.Second || got > 3*session {
		t.Errorf("%v for sessions of %v", got, session)
	}
}
