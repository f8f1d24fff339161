package overview

import (
	"fmt"
	"testing"

	"kdrill/themes"
	"kdrill/tui/ui"
	"kdrill/tui/ui/uitest"
)

func TestScreens(t *testing.T) {
	gone := uitest.Healthy()
	gone.Status = nil
	snap := *gone.Snapshot
	snap.Brokers, snap.Coordinators, snap.Topics = nil, nil, nil
	snap.Problem = "No broker answers at 127.0.0.1:9092: connection refused."
	gone.Snapshot = &snap
	hung := uitest.Healthy()
	slow := *hung.Snapshot
	slow.Brokers = append(slow.Brokers[:0:0], slow.Brokers...)
	slow.Brokers[2].Error = "no answer within 900 ms"
	hung.Snapshot = &slow
	states := map[string]ui.Data{"loading": uitest.Empty(), "normal": uitest.Healthy(), "failed": uitest.Failed(), "gone": gone, "hung": hung}
	for state, data := range states {
		for _, size := range uitest.Sizes {
			s := New()
			s.Update(data)
			f := uitest.Frame(data, size[0], size[1])
			uitest.Golden(t, fmt.Sprintf("%s-%dx%d", state, size[0], size[1]), themes.New(themes.Dark), size[0], size[1], s.View(f))
		}
	}
}
