package members

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServerLines(t *testing.T) {
	for line, want := range map[string]string{
		"h:1:2":                        "server.3=h:1:2:participant",
		"h:1:2;9":                      "server.3=h:1:2:participant;0.0.0.0:9",
		" h:1:2 ; k:9":                 "server.3=h:1:2:participant;k:9",
		"h:1:2:observer;9":             "server.3=h:1:2:observer;0.0.0.0:9",
		"h:1:2:OBSERVER":               "server.3=h:1:2:observer",
		"h:1":                          "server.3=h:1:participant",
		"h:1:participant":              "server.3=h:1:participant",
		"[::1]:1:2:participant;[::]:9": "server.3=[::1]:1:2:participant;[::]:9",
	} {
		m, err := Parse("3", line)
		if err != nil || m.String() != want {
			t.Errorf("%s: %s %v, want %s", line, m, err, want)
			continue
		}
		again, _, err := Read(want)
		if err != nil || len(again) != 1 || again[0].String() != want {
			t.Errorf("%s does not read back: %v %v", want, again, err)
		}
	}
	for _, line := range []string{"", "h", "h:", "h:x:2", "h:1:70000", ":1:2", "h:1:2:king", "h:1:2:3", "h:1:2:observer:4", "h:1:2;", "h:1:2;x", "h:1:2;k:x"} {
		if m, err := Parse("3", line); err == nil {
			t.Errorf("%q is taken for %s", line, m)
		}
	}
	for _, number := range []string{"", "0", "255", "x", "-1"} {
		if _, err := Parse(number, "h:1:2"); err == nil {
			t.Errorf("server.%s is taken", number)
		}
	}
}

func TestTheTextOfAListReadsBack(t *testing.T) {
	l, version, err := Read("server.2=b:1:2;3,server.1=a:1:2:observer;3\nversion=1f")
	if err != nil || version != 0x1f || len(l) != 2 || l[0].ID != 1 || l.Voters() != 1 {
		t.Fatal(l, version, err)
	}
	again, version, err := Read(l.Text(version))
	if diff := cmp.Diff(l, again); diff != "" && l.Text(0) != again.Text(0) || version != 0x1f || err != nil {
		t.Error(diff, version, err)
	}
	for _, text := range []string{"server.1=a", "version=x", "group.1=1:2", "what"} {
		if _, _, err := Read(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestAListChanges(t *testing.T) {
	l, _, err := Read("server.1=a:1:2;3\nserver.2=b:1:2;3")
	if err != nil {
		t.Fatal(err)
	}
	next, err := l.Change("server.3=c:1:2;3, 1=d:1:2:observer;3", "2")
	if want := "server.1=d:1:2:observer;0.0.0.0:3\nserver.3=c:1:2:participant;0.0.0.0:3\nversion=0"; err != nil || next.Text(0) != want {
		t.Errorf("%v\n%s", err, next.Text(0))
	}
	if len(l) != 2 || l[0].Host != "a" {
		t.Error("the list itself has changed")
	}
	for _, c := range []struct{ join, leave string }{
		{"server.3", ""},
		{"server.3=c:1;3", ""},
		{"server.3=c:1:2", ""},
		{"server.3=b:1:9;9", ""},
		{"server.3=b:8:2;9", ""},
		{"server.3=c:1:2;b:2", ""},
		{"server.3=c:1:2;3,server.4=c:1:5;6", ""},
		{"", "one"},
	} {
		if next, err := l.Change(c.join, c.leave); err == nil {
			t.Errorf("%+v makes %s", c, next.Text(0))
		}
	}
}

// Addresses that each host has for itself may be those of two members, and so may those that a member leaves.
func TestTwoMembersAtOneAddress(t *testing.T) {
	l, _, err := Read("server.1=a:1:2;3\nserver.2=127.0.0.1:1:2;3")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ join, leave string }{
		{"server.3=127.0.0.1:1:2;3", ""},
		{"server.3=[::1]:1:2;3,server.4=[::1]:1:2;3", ""},
		{"server.3=localhost:1:2;3,server.4=localhost:1:2;3", ""},
		{"server.3=c:1:2;0.0.0.0:3", ""},
		{"server.3=a:1:2;3", "1"},
		{"server.1=a:1:2;4", ""},
	} {
		if _, err := l.Change(c.join, c.leave); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := l.Replace("server.1=a:1:2;3,server.2=a:1:2;3"); err != nil {
		t.Errorf("all of them named at once: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("server.1=a:1:2:participant;0.0.0.0:3\nserver.2=[::1]:1:2:observer\nversion=1f")
	f.Add("server.1=a:1,server.1=b:1:2;3")
	f.Fuzz(func(t *testing.T, text string) {
		l, version, err := Read(text)
		if err != nil {
			return
		}
		again, v, err := Read(l.Text(version))
		if err != nil || v != version || again.Text(v) != l.Text(version) {
			t.Errorf("%q reads back as %q: %v", l.Text(version), again.Text(v), err)
		}
	})
}
