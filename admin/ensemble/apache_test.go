package ensemble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"kdrill/testdata/freeport"

	"github.com/go-zookeeper/zk"

	"kdrill/testdata/need"
)

// TestApacheZooKeeperTellsWhatItsConfigurationAllows asks a real one that allows srvr, cons and mntr, and has an admin server.
func TestApacheZooKeeperTellsWhatItsConfigurationAllows(t *testing.T) {
	command := need.ZooKeeper(t)
	ports := freeport.Find(t, 2)
	dir := t.TempDir()
	config := fmt.Sprintf("tickTime=2000\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.serverPort=%d\n4lw.commands.whitelist=srvr, cons, mntr\n", dir, ports[0], ports[1])
	startZooKeeper(t, command, dir, config)
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	eventually := func(what string, holds func() bool) {
		t.Helper()
		for !holds() {
			select {
			case <-ctx.Done():
				t.Fatalf("never: %s", what)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	p := NewProber()
	p.AdminPort = strconv.Itoa(ports[1])
	eventually("it serves", func() bool { s, err := p.Server(ctx, address, false); return err == nil && s.Role == "standalone" })

	client, err := Connect(Config{Servers: []string{address}, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	eventually("a session", func() bool { return client.State() == zk.StateHasSession })
	if _, err := client.Create("/mine", nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatal(err)
	}
	s, err := p.Server(ctx, address, true)
	if err != nil || s.Connections < 1 || s.Ephemerals != 1 || s.Watches != 0 || s.Zxid < 2 || s.LatencyMax < 0 || s.Received < 1 {
		t.Errorf("%+v, %v", s, err)
	}
	list, err := p.Connections(ctx, address)
	if i := slices.IndexFunc(list, func(c Connection) bool { return c.Session == client.SessionID() }); err != nil || i < 0 || list[i].Timeout != 30*time.Second {
		t.Errorf("%+v, %v", list, err)
	}
	eventually("the admin server tells of the session", func() bool {
		d, err := p.Dump(ctx, address)
		return err == nil && slices.Equal(d.Ephemerals[client.SessionID()], []string{"/mine"})
	})
	other := NewProber()
	other.AdminPort = "1"
	if _, err := other.Dump(ctx, address); err == nil || !isNotAllowed(err) {
		t.Errorf("without an admin server: %v", err)
	}
	owners, whole, err := client.Owners(ctx, 1000, func(string) bool { return false })
	if err != nil || !whole || !slices.Equal(owners[client.SessionID()], []string{"/mine"}) {
		t.Errorf("%v, whole %v, %v", owners, whole, err)
	}
	if _, whole, _ := client.Owners(ctx, 2, func(string) bool { return false }); whole {
		t.Error("a bounded walk says that it saw everything")
	}
	if _, err := p.Word(ctx, "127.0.0.1:1", "srvr"); err == nil || errors.Is(err, ErrNoQuorum) {
		t.Errorf("nobody there: %v", err)
	}
}

// startZooKeeper starts a real one that ends with the test, with its log if that failed.
func startZooKeeper(t *testing.T, command []string, dir, config string) {
	t.Helper()
	path := filepath.Join(dir, "zoo.cfg")
	write(t, path, config)
	var log bytes.Buffer
	server := exec.Command(command[0], append(slices.Clone(command[1:]), path)...)
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
}
