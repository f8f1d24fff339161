package admin

import "testing"

func FuzzAssigned(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 1, 'x', 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := assigned(data); len(data) == 0 && got != nil {
			t.Errorf("%v of nothing", got)
		}
	})
}
