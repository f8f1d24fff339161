package broker

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestZooKeeperServersAreTriedInTurnWithShortPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(hosts)
		if err := h.Init([]string{"a", "b"}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var order string
		for range 5 {
			server, startOver := h.Next()
			if startOver {
				t.Error("waiting requests failed after less than ten rounds")
			}
			order += server
		}
		if order != "ababa" || time.Since(start) != 2*hostsPause {
			t.Errorf("tried %s within %v", order, time.Since(start))
		}
		h.Connected()
		if server, _ := h.Next(); server != "b" {
			t.Errorf("after a success %s is tried, not the next", server)
		}
		failed := 0
		for range 2*hostsPatience + 1 {
			if _, startOver := h.Next(); startOver {
				failed++
			}
		}
		if failed != 1 {
			t.Errorf("waiting requests failed %d times in eleven rounds", failed)
		}
	})
}
