package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/term"

	"kdrill/admin"
	"kdrill/cluster"
)

// foreign says whether the flags name a cluster that kdrill did not start.
func (a *app) foreign() bool { return len(a.bootstrap) > 0 }

// adminConfig turns the global flags into the cluster to talk to: the one of --bootstrap-server, else the local one.
func (a *app) adminConfig(ctx context.Context) (admin.Config, error) {
	cfg := admin.Config{Bootstrap: a.bootstrap, ZooKeeper: a.zookeeper, Properties: a.commandConfig}
	if a.foreign() {
		for _, address := range a.bootstrap {
			if _, _, err := net.SplitHostPort(address); err != nil {
				return cfg, usagef("--bootstrap-server %s: write host:port", address)
			}
		}
		return cfg, nil
	}
	if a.zookeeper != "" || a.commandConfig != "" {
		return cfg, usagef("--zookeeper and --command-config belong to another cluster: name its brokers with --bootstrap-server")
	}
	_, status, err := a.localStatus(ctx)
	if err != nil {
		return cfg, err
	}
	cfg.Bootstrap, cfg.ZooKeeper = status.Bootstrap, status.ZooKeeper
	if len(cfg.Bootstrap) == 0 {
		return cfg, fmt.Errorf("cluster %s has no brokers: add one with kdrill add broker", a.cluster)
	}
	return cfg, nil
}

// localStatus asks the supervisor of the local cluster.
func (a *app) localStatus(ctx context.Context) (*cluster.Client, cluster.Status, error) {
	dir, err := cluster.StateDir()
	if err != nil {
		return nil, cluster.Status{}, err
	}
	c, err := cluster.Open(dir, a.cluster)
	if err != nil {
		return nil, cluster.Status{}, a.localError(err)
	}
	status, err := c.Status(ctx)
	return c, status, a.localError(err)
}

// localError says what to do when there is no local cluster.
func (a *app) localError(err error) error {
	switch {
	case errors.Is(err, cluster.ErrNotFound):
		return fmt.Errorf("there is no local cluster %s: start it with kdrill up, or name another with --bootstrap-server host:port", a.cluster)
	case errors.Is(err, cluster.ErrDown):
		return fmt.Errorf("cluster %s is down: start it with kdrill up", a.cluster)
	}
	return err
}

// dial connects to the cluster that the flags name.
func (a *app) dial(ctx context.Context) (*admin.Client, error) {
	cfg, err := a.adminConfig(ctx)
	if err != nil {
		return nil, err
	}
	return admin.Dial(ctx, cfg)
}

// withClient runs do with a connection to the cluster that the flags name.
func (a *app) withClient(ctx context.Context, do func(*admin.Client) error) error {
	c, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return do(c)
}

// isTerminal says whether a stream of the program is one that a person looks at or types into.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
