package broker

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kdrill/node/broker/quota"
	"kdrill/node/broker/settings"
	"kdrill/node/wire"
)

// visitor is the broker's end of a connection from an address.
type visitor struct {
	net.Conn
	from   string
	closed bool
}

func (v *visitor) RemoteAddr() net.Addr { return hostAddr(v.from + ":5000") }
func (v *visitor) Close() error         { v.closed = true; return nil }

// doors are the two listeners of a broker: INSIDE is that between brokers.
type doors struct {
	*connections
	t        *testing.T
	settings *settings.Settings
}

func newDoors(t *testing.T, limits map[string]string, properties ...string) *doors {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.properties")
	text := "broker.id=1\nzookeeper.connect=h:1\nlog.dirs=/l\nlisteners=INSIDE://h:1,OUTSIDE://h:2\nlistener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT\ninter.broker.listener.name=INSIDE\n"
	if err := os.WriteFile(path, []byte(text+strings.Join(properties, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := settings.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	quotas := quota.New(quota.Windows{Count: 11, Size: time.Second}, quota.Windows{Count: 11, Size: time.Second})
	quotas.Set(quota.NewLimits(map[string]map[string]string{"ips/10.0.0.9": {"connection_creation_rate": "1"}}))
	d := &doors{newConnections(s, quotas), t, s}
	d.change(limits)
	return d
}

// change sets properties while the broker runs.
func (d *doors) change(own map[string]string) {
	d.t.Helper()
	next, wrong := d.settings.With(own, nil)
	if len(wrong) > 0 {
		d.t.Fatal(wrong)
	}
	d.Limit(next)
}

// enter has a connection come in, within a test's bubble. It returns nil while that waits.
func (d *doors) enter(listener, from string) (entered func() (wire.Stay, *visitor, error)) {
	v := &visitor{from: from}
	var s wire.Stay
	var err error
	done := false
	go func() {
		s, _, err = d.Enter(d.t.Context(), listener, v)
		done = true
	}()
	return func() (wire.Stay, *visitor, error) {
		synctest.Wait()
		if !done {
			return nil, v, errWaits
		}
		return s, v, err
	}
}

var errWaits = fmt.Errorf("waits")

func TestConnectionsWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoors(t, map[string]string{"max.connections": "2", "listener.name.inside.max.connections": "3"})
		first, _, err := d.enter("OUTSIDE", "10.0.0.1")()
		if err != nil {
			t.Fatal(err)
		}
		idle, idleConn, err := d.enter("OUTSIDE", "10.0.0.2")()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		third := d.enter("OUTSIDE", "10.0.0.3")
		if _, _, err := third(); err != errWaits {
			t.Fatalf("the third of two: %v", err)
		}
		first.Leave()
		if _, _, err := third(); err != nil {
			t.Fatalf("once there is room: %v", err)
		}
		first.Leave() // twice does no harm
		if fourth := d.enter("OUTSIDE", "10.0.0.4"); true {
			if _, _, err := fourth(); err != errWaits {
				t.Fatalf("one that left twice made room twice: %v", err)
			}
			d.change(map[string]string{"max.connections": "3"})
			if _, _, err := fourth(); err != nil {
				t.Fatalf("with a higher limit: %v", err)
			}
		}
		// Brokers come in over their own listener, and the idlest other goes.
		if _, _, err := d.enter("INSIDE", "10.0.0.5")(); err != nil {
			t.Fatalf("a broker: %v", err)
		}
		if !idleConn.closed || d.total != 3 {
			t.Errorf("the idlest connection is closed: %v; %d are left", idleConn.closed, d.total)
		}
		idle.Leave()
		if d.total != 3 {
			t.Errorf("%d are counted", d.total)
		}
		d.change(map[string]string{"max.connections": "1"})
		if inside, outside := len(d.listeners["INSIDE"].stays), len(d.listeners["OUTSIDE"].stays); inside != 1 || outside != 0 || d.total != 1 {
			t.Errorf("with a lower limit %d brokers and %d others are left", inside, outside)
		}
	})
}

func TestOneListenerIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoors(t, map[string]string{"listener.name.outside.max.connections": "1"})
		s, _, _ := d.enter("OUTSIDE", "10.0.0.1")()
		waits := d.enter("OUTSIDE", "10.0.0.2")
		if _, _, err := waits(); err != errWaits {
			t.Fatal(err)
		}
		if _, _, err := d.enter("INSIDE", "10.0.0.3")(); err != nil {
			t.Errorf("the other listener: %v", err)
		}
		s.Leave()
		if _, _, err := waits(); err != nil {
			t.Error(err)
		}
	})
}

// With ten windows gone by as if nothing had come, a rate of 1 lets ten in at once, and no more than one a second then.
func TestConnectionsComeAtARate(t *testing.T) {
	for _, property := range []string{"max.connection.creation.rate", "listener.name.outside.max.connection.creation.rate"} {
		synctest.Test(t, func(t *testing.T) {
			d := newDoors(t, map[string]string{property: "1"})
			began := time.Now()
			for range 10 {
				if _, _, err := d.enter("OUTSIDE", "10.0.0.1")(); err != nil {
					t.Fatal(err)
				}
			}
			next := d.enter("OUTSIDE", "10.0.0.1")
			if _, _, err := next(); err != errWaits {
				t.Fatalf("%s: the eleventh at once: %v", property, err)
			}
			if _, _, err := d.enter("INSIDE", "10.0.0.1")(); err != nil {
				t.Errorf("%s: a broker: %v", property, err)
			}
			time.Sleep(time.Second)
			if _, _, err := next(); err != nil || time.Since(began) > time.Second {
				t.Errorf("%s: the eleventh after %v: %v", property, time.Since(began), err)
			}
		})
	}
}

func TestAddressesHaveLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoors(t, nil, "max.connections.per.ip=1", "max.connections.per.ip.overrides=10.0.0.2:2,127.0.0.1:0")
		if _, _, err := d.enter("OUTSIDE", "10.0.0.1")(); err != nil {
			t.Error(err)
		}
		if _, _, err := d.enter("OUTSIDE", "10.0.0.1")(); err == nil || !strings.Contains(err.Error(), "10.0.0.1 has 1 connections already") {
			t.Error(err)
		}
		for i, want := range []bool{true, true, false} {
			if _, _, err := d.enter("OUTSIDE", "10.0.0.2")(); (err == nil) != want {
				t.Errorf("%d: %v", i, err)
			}
		}
		if _, _, err := d.enter("OUTSIDE", "127.0.0.1")(); err == nil {
			t.Error("an address that may not connect")
		}
		d.change(map[string]string{"max.connections.per.ip": "2", "max.connections.per.ip.overrides": "10.0.0.2:3"})
		for _, from := range []string{"10.0.0.1", "10.0.0.2", "127.0.0.1"} {
			if _, _, err := d.enter("OUTSIDE", from)(); err != nil {
				t.Errorf("with higher limits: %v", err)
			}
		}
		if n := len(d.listeners["OUTSIDE"].stays); n != 6 || d.listeners["OUTSIDE"].refused != 3 || d.total != 6 {
			t.Errorf("%d are in, %d were refused", n, d.listeners["OUTSIDE"].refused)
		}
		rate := d.rate.PerSecond(time.Now())
		for range 30 { // a second's quota of the address 10.0.0.9 has room for ten
			_, _, _ = d.enter("OUTSIDE", "10.0.0.9")()
		}
		if more := d.rate.PerSecond(time.Now()) - rate; more > 1 {
			t.Errorf("those refused for their address count for the broker: %v more a second", more)
		}
	})
}

func TestWhoWaitsToComeInEndsWithTheBroker(t *testing.T) {
	d := newDoors(t, nil, "max.connections=0")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := d.Enter(ctx, "OUTSIDE", &visitor{from: "10.0.0.1"}); err == nil {
		t.Error("let in where nobody may be")
	}
}

func TestConnectionsOfAListenerThatIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoors(t, map[string]string{"max.connections": "2", "max.connections.per.ip": "1"})
		held, _, err := d.enter("OUTSIDE", "10.0.0.1")()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.enter("OUTSIDE", "10.0.0.2")(); err != nil {
			t.Fatal(err)
		}
		waits := d.enter("OUTSIDE", "10.0.0.3")
		if _, _, err := waits(); err != errWaits {
			t.Fatalf("the third of two: %v", err)
		}
		inside := d.settings.Listeners[:1]
		d.Follow(d.settings.Values, inside, "INSIDE")
		if _, _, err := waits(); err != errRemoved {
			t.Errorf("who waited at the listener: %v", err)
		}
		if _, _, err := d.enter("OUTSIDE", "10.0.0.4")(); err != errRemoved {
			t.Errorf("who comes late: %v", err)
		}
		d.Authenticated("OUTSIDE", true)
		d.change(map[string]string{"max.connections": "2"})
		if _, _, err := d.enter("INSIDE", "10.0.0.5")(); err != errWaits {
			t.Errorf("those that are still there do not count: %v", err)
		}

		again := append(inside[:1:1], settings.Listener{Name: "AGAIN", Protocol: "PLAINTEXT"}, d.settings.Listeners[1])
		d.Follow(d.settings.Values, again, "INSIDE") // no limit
		if _, _, err := d.enter("AGAIN", "10.0.0.6")(); err != nil {
			t.Errorf("a listener that came: %v", err)
		}
		held.Leave() // of the listener that had the name before
		if _, _, err := d.enter("OUTSIDE", "10.0.0.1")(); err != nil {
			t.Errorf("the listener that came again: %v", err)
		}
		if n := len(d.listeners["OUTSIDE"].stays); n != 1 {
			t.Errorf("%d connections are counted for it, want 1", n)
		}
	})
}
