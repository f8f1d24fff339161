package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/cluster"
)

// silent keeps the client from printing.
type silent struct{}

func (silent) Printf(string, ...any) {}

// sessions are the znodes that end with the session of a broker, each with that session and the change that made it, and the
// controller's epoch: what differs later has ended meanwhile.
func (c *local) sessions(brokers int) map[string]string {
	c.T.Helper()
	var found map[string]string
	eventually(c.T, "the coordinators tell who is registered", func() bool {
		client, _, err := zk.Connect(strings.Split(c.Status().ZooKeeper, ","), 20*time.Second, zk.WithLogger(silent{}))
		if err != nil {
			c.T.Fatal(err)
		}
		defer client.Close()
		found = map[string]string{}
		paths := []string{"/controller", "/controller_epoch"}
		for id := range brokers {
			paths = append(paths, fmt.Sprintf("/brokers/ids/%d", id+1))
		}
		for _, path := range paths {
			data, stat, err := client.Get(path)
			switch {
			case err == zk.ErrNoNode:
				found[path] = "gone"
			case err != nil:
				return false
			default:
				found[path] = fmt.Sprintf("session %#x, made by change %#x: %s", stat.EphemeralOwner, stat.Czxid, data)
			}
		}
		return true
	})
	return found
}

// keepSessions kills one coordinator after the other, the leader first: no session of a broker ends, and the controller stays.
func (c *local) keepSessions(brokers int) {
	c.T.Helper()
	before := c.sessions(brokers)
	same := func(when string) {
		c.T.Helper()
		if now := c.sessions(brokers); !maps.Equal(before, now) {
			c.T.Errorf("before\n%s\n%s\n%s", lines(before), when, lines(now))
		}
	}
	next := []string{"coordinator-leader"}
	for _, n := range c.Status().Nodes {
		if n.Role == cluster.Coordinator {
			next = append(next, n.Name)
		}
	}
	first := ""
	for _, who := range next {
		if who == first {
			continue
		}
		killed := c.hit("kill", who)
		if first == "" {
			first = killed
		}
		c.produced("orders")
		same("without " + killed)
		c.Run("restart", killed, "--yes", "--timeout", patience.String())
		c.whole(killed)
	}
	c.created("made-meanwhile", brokers)
	same("after all")
}

func lines(m map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(m)) {
		b.WriteString(key + ": " + m[key] + "\n")
	}
	return b.String()
}
