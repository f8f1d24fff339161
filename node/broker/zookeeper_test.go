package broker

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"kdrill/node/broker/settings"
)

func TestAServerThatHangsIsGivenUpForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		c := &impatient{Conn: near, limit: time.Second}
		read := func(within time.Duration) (time.Duration, error) {
			began := time.Now()
			c.SetReadDeadline(began.Add(within))
			_, err := c.Read(make([]byte, 4))
			return time.Since(began), err
		}
		if took, err := read(time.Minute); took != time.Second || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("before the first reply: %v after %v", err, took)
		}
		go far.Write([]byte("here"))
		if _, err := read(time.Minute); err != nil {
			t.Errorf("the first reply: %v", err)
		}
		if took, err := read(time.Minute); took != time.Minute || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after it: %v after %v", err, took)
		}
	})
}

func TestPatienceWithServers(t *testing.T) {
	to := settings.ZooKeeper{Servers: []string{"a", "b"}, SessionTimeout: 3 * time.Second}
	s := new(session)
	expect := func(when string, want ...time.Duration) {
		t.Helper()
		for i, w := range want {
			if got := s.patience(to); got != w {
				t.Errorf("%s, server %d: %v, want %v", when, i, got, w)
			}
		}
	}
	expect("without a session", 3*time.Second, 3*time.Second, 6*time.Second)
	s.last, s.dialed = 1, 0
	expect("to keep a session", time.Second, time.Second, 2*time.Second, 2*time.Second, 3*time.Second)
}
