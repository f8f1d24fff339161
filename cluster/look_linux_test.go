package cluster

import (
	"os"
	"testing"
	"time"
)

func TestStatOfAProcessIsRead(t *testing.T) {
	const stat = "21352 (a (b) c) T 1 21352 21352 0 -1 4194304 2291 0 1 0 150 50 0 0 20 0 9 0 8412345 1271058432 3500 1844674407 1 1"
	v, ok := parseStat(stat, "boot")
	want := vital{identity: "boot/8412345", halted: true, rss: 3500 * int64(os.Getpagesize()), cpu: 2 * time.Second}
	if !ok || v != want {
		t.Errorf("%+v, want %+v", v, want)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("21352 (a (b) c) T 1 21352 21352 0 -1 4194304 2291 0 1 0 150 50 0 0 20 0 9 0 8412345 1271058432 3500 1844674407")
	f.Fuzz(func(t *testing.T, stat string) {
		if v, ok := parseStat(stat, "boot"); ok && len(v.identity) < len("boot/") {
			t.Errorf("%q: %+v", stat, v)
		}
	})
}
