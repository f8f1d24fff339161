package ensemble

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-zookeeper/zk"
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
	synctest.Test(t, func(t *testing.T) {
		idle := 0
		q := NewQueue(func() { idle++ })
		q.Push("/a", "/a", "/b")
		take := func() string {
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
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
	})
}

func TestACredentialIsReadAndNeverShown(t *testing.T) {
	for _, text := range []string{"", "digest", "digest:", "digest:alice", "digest:alice:", "digest::secret", "ip:1.2.3.4:x", "alice:secret"} {
		if c, err := ParseCredential(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	}
	c, err := ParseCredential("digest:alice:my:secret")
	if err != nil || string(c.secret) != "alice:my:secret" {
		t.Fatal(c, err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("told", "who", c, "all", []Credential{c})
	shown := fmt.Sprintf("%v %+v %#v %s %v", c, c, c, c, []Credential{c}) + log.String()
	if strings.Contains(shown, "secret") || !strings.Contains(shown, "digest:alice:…") {
		t.Error(shown)
	}
}

// Whoever is told that there is a session asks as the user, also when the first connection is lost on the way.
func TestASessionIsToldOfOnceItsUserIsKnown(t *testing.T) {
	const has, lost = zk.StateHasSession, zk.StateDisconnected
	var heard []zk.State
	i := introduce(nil, func(e zk.Event) { heard = append(heard, e.State) }, slog.New(slog.DiscardHandler))
	event := func(s zk.State) { i.event(zk.Event{Type: zk.EventSession, State: s}) }
	event(zk.StateConnecting)
	event(has) // nothing goes on before the connection is there
	event(lost)
	event(has)
	i.mu.Lock()
	if want := []zk.State{zk.StateConnecting, lost}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
	i.mu.Unlock()
	i.conn <- nil
	for known := false; !known; {
		i.mu.Lock()
		known = i.done
		i.mu.Unlock()
		runtime.Gosched()
	}
	event(lost)
	event(has)
	i.mu.Lock()
	defer i.mu.Unlock()
	if want := []zk.State{zk.StateConnecting, lost, has, lost, has}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
}
