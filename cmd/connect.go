package cmd

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"kdrill/admin"
	"kdrill/admin/ensemble"
	"kdrill/admin/security"
	"kdrill/cluster"
)

// foreign says whether the flags name a cluster that kdrill did not start.
func (a *app) foreign() bool { return len(a.bootstrap) > 0 || a.zookeeper != "" }

// adminConfig turns the global flags into the cluster to talk to: the one of --bootstrap-server, or whose brokers the ZooKeeper
// of --zookeeper knows, else the local one.
func (a *app) adminConfig(ctx context.Context) (admin.Config, error) {
	cfg := admin.Config{Bootstrap: a.bootstrap, ZooKeeper: a.zookeeper, Properties: a.commandConfig}
	access, err := a.zookeeperAccess()
	if err != nil {
		return cfg, err
	}
	cfg.ZooKeeperAccess, cfg.AdminPort = access, strconv.Itoa(int(a.adminPort))
	if a.foreign() {
		for _, address := range a.bootstrap {
			if _, _, err := net.SplitHostPort(address); err != nil {
				return cfg, usagef("--bootstrap-server %s: write host:port", address)
			}
		}
		if len(a.bootstrap) == 0 {
			looking, cancel := context.WithTimeout(ctx, zookeeperPatience)
			defer cancel()
			if cfg.Bootstrap, err = admin.Registered(looking, cfg); err != nil {
				return cfg, unregistered{err}
			}
		}
		return cfg, nil
	}
	if a.commandConfig != "" || a.zookeeperTLS != "" {
		return cfg, usagef("--zk-tls-config-file and --command-config belong to another cluster: name it with --bootstrap-server or --zookeeper")
	}
	client, err := a.openLocal()
	if err != nil {
		return cfg, err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return cfg, a.advise(err)
	}
	cfg = localConfig(status)
	cfg.ZooKeeperAccess, cfg.AdminPort = access, strconv.Itoa(int(a.adminPort))
	if strings.Contains(status.Engine, "apache-") {
		cfg.Deadline = coldDeadline
	}
	if len(cfg.Bootstrap) == 0 {
		return cfg, fmt.Errorf("cluster %s has no brokers: add one with kdrill add broker", a.cluster)
	}
	return cfg, nil
}

// unregistered is why ZooKeeper does not tell who the brokers are.
type unregistered struct{ error }

// zookeeperPatience is how long ZooKeeper is given to tell who the brokers are.
const zookeeperPatience = 5 * time.Second

// defaultAdminPort is where Apache's admin servers listen unless they are told otherwise.
const defaultAdminPort = 8080

// zookeeperAccess is how the flags have ZooKeeper asked.
func (a *app) zookeeperAccess() (access ensemble.Access, err error) {
	if access.Auth, err = a.credentials(); err != nil || a.zookeeperTLS == "" {
		return access, err
	}
	var ignored []string
	if access.TLS, ignored, err = security.LoadZooKeeper(a.zookeeperTLS); err != nil {
		return access, usagef("--zk-tls-config-file: %w", err)
	}
	for _, key := range ignored {
		fmt.Fprintf(a.err, "kdrill: %s: %s has no effect here\n", a.zookeeperTLS, key)
	}
	return access, nil
}

// credentials are those of --zookeeper-auth, none if it is not given.
func (a *app) credentials() ([]ensemble.Credential, error) {
	text := a.zookeeperAuth
	if text == "" {
		return nil, nil
	}
	if file, ok := strings.CutPrefix(text, "@"); ok {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, usagef("--zookeeper-auth: %w", err)
		}
		text = strings.TrimSpace(string(data))
	}
	c, err := ensemble.ParseCredential(text)
	if err != nil {
		return nil, usagef("--zookeeper-auth: %w", err)
	}
	return []ensemble.Credential{c}, nil
}

// coldDeadline is what a JVM that has just started may need for its first answers.
const coldDeadline = 4 * time.Second

// localConfig is how to talk to a local cluster.
func localConfig(status cluster.Status) admin.Config {
	return admin.Config{Bootstrap: status.Bootstrap, ZooKeeper: status.ZooKeeper, Mode: admin.Mode(status.Mode), Companion: status.ZooKeeperSession}
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
