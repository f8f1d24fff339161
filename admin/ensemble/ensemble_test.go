package ensemble

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func TestConnectStrings(t *testing.T) {
	for connect, want := range map[string]string{
		"a:1,b:2/kafka/x": "[a:1 b:2] /kafka/x",
		"a, b/":           "[a:2181 b:2181] ",
		"[::1]:2182":      "[[::1]:2182] ",
		"":                "[] ",
	} {
		servers, chroot := Servers(connect)
		if got := fmt.Sprint(servers, " ", chroot); got != want {
			t.Errorf("%q: %q, want %q", connect, got, want)
		}
	}
}

func TestAPathIsReadByOneReaderAndOnceMoreIfItChangedMeanwhile(t *testing.T) {
	idle := 0
	q := NewQueue(func() { idle++ })
	q.Push("/a", "/a", "/b")
	take := func() string {
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer stop()
		path, _ := q.Next(ctx)
		return path
	}
	if a, b, none := take(), take(), take(); a != "/a" || b != "/b" || none != "" {
		t.Fatalf("got %q %q %q", a, b, none)
	}
	q.Push("/a")
	if early := take(); early != "" {
		t.Errorf("%s is read twice at once", early)
	}
	q.Done("/b")
	q.Done("/a")
	if again := take(); again != "/a" || idle != 0 {
		t.Errorf("got %q, idle %d", again, idle)
	}
	q.Done("/a")
	if idle != 1 {
		t.Errorf("idle %d", idle)
	}
}
