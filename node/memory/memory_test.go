package memory

import (
	"testing"
	"time"
)

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		room, live int64
		want       int
	}{
		{leastRoom, 0, 50},
		{leastRoom, 4 << 20, 50},
		{leastRoom, 1 << 30, 50},
		{Room / 4, 1 << 20, 100},
		{Room, 0, 400},
		{Room, 1 << 20, 400},
		{Room, 8 << 20, 200},
		{Room, 32 << 20, 50},
		{Room, 1 << 30, 50},
	} {
		if got := percent(50, c.room, c.live); got != c.want {
			t.Errorf("%d bytes of room for %d: %d %%, want %d", c.room, c.live, got, c.want)
		}
	}
}

func TestRoomFollowsTheWork(t *testing.T) {
	size := int64(leastRoom)
	for _, c := range []struct {
		lasted time.Duration
		want   int64
	}{
		{10 * time.Second, leastRoom},
		{100 * time.Millisecond, 2 * leastRoom},
		{100 * time.Millisecond, 4 * leastRoom},
		{100 * time.Millisecond, Room},
		{100 * time.Millisecond, Room},
		{3 * time.Second, Room},
		{time.Minute, Room / 2},
		{2 * time.Minute, Room / 4},
		{2 * time.Minute, leastRoom},
		{2 * time.Minute, leastRoom},
	} {
		if size = room(size, c.lasted); size != c.want {
			t.Errorf("after %s: %d bytes, want %d", c.lasted, size, c.want)
		}
	}
}
