package admin

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/admin/ensemble"
	"kdrill/admin/security"
)

// Config says which cluster to talk to and how patiently.
type Config struct {
	Bootstrap []string // host:port of brokers; any that answers will do; an observer does without where ZooKeeper is named
	ZooKeeper string   // host:port,…/chroot; empty where there is none
	Mode      Mode     // if it is known already
	// ZooKeeperAccess says who is asking, where ACLs of znodes name users, and whether ZooKeeper wants TLS.
	ZooKeeperAccess ensemble.Access
	// AdminPort is where ZooKeeper's admin servers listen (admin.serverPort), Apache's default if empty.
	AdminPort string
	// Companion is the session of the supervisor that observes the same cluster, 0 for none.
	Companion int64
	// Properties is the path of a client.properties as Apache's tools take it, empty for a plaintext cluster.
	Properties string
	Interval   time.Duration // between polls of an observer, a second if 0
	Deadline   time.Duration // of one request to one broker, 900 ms if 0
	Hedge      time.Duration // after which another broker is asked the same, 100 ms if 0
	Log        *slog.Logger  // nil discards
}

func (c Config) withDefaults() Config {
	if c.Interval <= 0 {
		c.Interval = time.Second
	}
	if c.Deadline <= 0 {
		c.Deadline = 900 * time.Millisecond
	}
	if c.Hedge <= 0 {
		c.Hedge = 100 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// bare says that no broker is named, only ZooKeeper.
func (c Config) bare() bool { return len(c.Bootstrap) == 0 && c.ZooKeeper != "" }

func (c Config) prober() *ensemble.Prober {
	p := ensemble.NewProber()
	p.AdminPort, p.TLS = cmp.Or(c.AdminPort, p.AdminPort), c.ZooKeeperAccess.TLS
	return p
}

// clientOptions are what every connection to a broker of the cluster needs.
func (c Config) clientOptions() ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.ClientID("kdrill")}
	if c.Properties == "" {
		return opts, nil
	}
	secure, err := security.Load(c.Properties)
	if err != nil {
		return nil, err
	}
	for _, name := range secure.Ignored {
		c.Log.Info("client property has no effect here", "file", c.Properties, "key", name)
	}
	return append(opts, secure.Options...), nil
}
