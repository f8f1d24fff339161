package tui

import (
	"strings"
	"testing"
	"time"

	"kdrill/admin"
)

// What a recovery took is read whole where the console is narrow.
func TestARecoveryIsToldWholeAt80Columns(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	over := clock{
		Recovery: admin.Recovery{
			Fault: admin.Event{At: began, Subject: "broker-2", New: "kill"}, Broker: 2, ToLead: 18, LedAgain: 18,
			Detected: 2 * time.Second, Led: 2020 * time.Millisecond, Full: 20300 * time.Millisecond,
		},
		overAt: began.Add(21 * time.Second),
	}
	for width, want := range map[int]string{
		80:  " broker-2 killed  18 partitions led again after 2.0 s; ISR full after 20.3 s",
		120: " broker-2 killed, recovered  18 partitions led again after 2.0 s; ISR full after 20.3 s",
	} {
		if got := strings.TrimRight(over.line(began, width).String(), " "); got != want {
			t.Errorf("at %d columns:\n%q, want\n%q", width, got, want)
		}
	}
}
