package admin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/admin/ensemble"
)

// TestSessionsAreReadAsFarAsTheirCoordinatorTells: everything with cons and dump, the owners of ephemeral znodes without.
func TestSessionsAreReadAsFarAsTheirCoordinatorTells(t *testing.T) {
	for words, want := range map[string]struct {
		timeout   time.Duration
		connected Connected
		hidden    string
	}{
		"srvr, cons, dump": {20 * time.Second, ConnectedYes, ""},
		"srvr, dump":       {20 * time.Second, ConnectedUnknown, "a coordinator does not allow cons: add it to 4lw.commands.whitelist"},
		"srvr":             {0, ConnectedUnknown, "Shown are the owners of ephemeral znodes"},
	} {
		address := serveZooKeeper(t, "tickTime=1000", "4lw.commands.whitelist="+words)
		conn := openSession(t, address, 20*time.Second)
		write(t, conn, "/kafka/brokers/ids/7", nil, zk.FlagEphemeral)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		all, err := ReadSessions(ctx, Config{ZooKeeper: address + "/kafka", Deadline: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		var mine Session
		for _, s := range all.List {
			if s.Owner == "broker-7" {
				mine = s
			}
		}
		if int64(mine.ID) != conn.SessionID() || mine.Timeout != want.timeout || mine.Connected != want.connected || len(mine.Ephemerals) != 1 {
			t.Errorf("%s: %+v", words, mine)
		}
		if (want.hidden == "") != (all.Hidden == "") || !strings.Contains(all.Hidden, want.hidden) {
			t.Errorf("%s: hidden %q", words, all.Hidden)
		}
	}
}

// TestASilentSessionIsHeardNoMore folds readings into one another: packets that grow, that stay, a connection that is gone.
func TestASilentSessionIsHeardNoMore(t *testing.T) {
	w := newWorld(Config{ZooKeeper: "a:1"})
	at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	read := func(after time.Duration, received int64) Session {
		a := sessionsAnswer{at: at.Add(after), dump: &ensemble.Dump{Sessions: map[int64]time.Duration{5: 6 * time.Second}}, connections: map[string][]ensemble.Connection{"a:1": nil}}
		if received > 0 {
			a.connections["a:1"] = []ensemble.Connection{{Client: "c:1", Session: 5, Timeout: 6 * time.Second, Received: received}}
		}
		w.applySessions(a)
		if len(w.sessions.List) != 1 {
			t.Fatalf("%+v", w.sessions)
		}
		return w.sessions.List[0]
	}
	if s := read(0, 10); s.Silent(at) || s.Connected != ConnectedYes || s.Left(at) != 6*time.Second {
		t.Errorf("%+v", s)
	}
	if s := read(time.Second, 11); s.Silent(at.Add(time.Second)) {
		t.Errorf("%+v", s)
	}
	if s := read(5*time.Second, 11); !s.Silent(at.Add(5*time.Second)) || s.Left(at.Add(5*time.Second)) != 2*time.Second {
		t.Errorf("%+v", s)
	}
	if s := read(6*time.Second, 12); s.Silent(at.Add(6 * time.Second)) {
		t.Errorf("%+v", s)
	}
	s := read(7*time.Second, 0)
	if s.Connected != ConnectedNo || !s.Silent(at.Add(7*time.Second)) || s.Left(at.Add(7*time.Second)) != 5*time.Second || s.Client != "c:1" {
		t.Errorf("%+v", s)
	}
	w.applySessions(sessionsAnswer{at: at.Add(8 * time.Second), err: errors.New("nobody answers")})
	if w.sessions.Error != "nobody answers" || len(w.sessions.List) != 1 || !w.sessions.At.Equal(at.Add(7*time.Second)) {
		t.Errorf("%+v", w.sessions)
	}
	w.applySessions(sessionsAnswer{at: at.Add(13 * time.Second), dump: &ensemble.Dump{}, connections: map[string][]ensemble.Connection{"a:1": nil}})
	if len(w.sessions.List) != 0 {
		t.Errorf("a session that ended is still listed: %+v", w.sessions.List)
	}
}
