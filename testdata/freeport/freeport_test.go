package freeport

import (
	"runtime"
	"testing"
)

func TestAPortIsGivenOnce(t *testing.T) {
	seen := map[int]bool{}
	for _, port := range append(Find(t, 50), Find(t, 50)...) {
		if seen[port] || port < lowest || port >= lowest+count {
			t.Errorf("%d", port)
		}
		seen[port] = true
	}
	if runtime.GOOS != "linux" {
		return
	}
	if name, err := take(One(t)); err == nil { // as another process would
		name.Close()
		t.Error("a port that is given is taken again")
	}
}
