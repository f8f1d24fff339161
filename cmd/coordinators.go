package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"kdrill/admin"
)

// zookeeperConfig is the ensemble that the flags name: that of --zookeeper, else that of the local cluster. No broker is
// asked for it. Its ZooKeeper is empty for a cluster in KRaft mode.
func (a *app) zookeeperConfig(ctx context.Context) (admin.Config, error) {
	if a.zookeeper != "" {
		access, err := a.zookeeperAccess()
		return admin.Config{Bootstrap: a.bootstrap, ZooKeeper: a.zookeeper, ZooKeeperAccess: access, AdminPort: strconv.Itoa(int(a.adminPort))}, err
	}
	return a.adminConfig(ctx)
}

// withZooKeeper runs do with an ensemble; where there is none, it says why.
func (a *app) withZooKeeper(ctx context.Context, do func(admin.Config) error) error {
	cfg, err := a.zookeeperConfig(ctx)
	if err != nil {
		return err
	}
	if cfg.ZooKeeper != "" {
		return do(cfg)
	}
	if cfg.Mode == admin.ModeKRaft {
		return errNoEnsemble
	}
	return a.withClient(ctx, func(client *admin.Client) error {
		s, err := client.Snapshot(ctx, admin.Interest{})
		switch {
		case err != nil:
			return err
		case s.Mode == admin.ModeKRaft:
			return errNoEnsemble
		}
		return usagef("name the ZooKeeper of this cluster with --zookeeper host:port")
	})
}

var errNoEnsemble = errors.New("this cluster has no ZooKeeper: it runs in KRaft mode; kdrill coordinators lists its controllers")

// newCoordinators lists the members of the ensemble, or the controllers of KRaft.
func newCoordinators(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "coordinators",
		Short: "List ZooKeeper nodes with role, zxid, latency and connections, or the controllers of KRaft",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			cfg, err := a.zookeeperConfig(ctx)
			if err != nil {
				return err
			}
			if cfg.ZooKeeper != "" {
				return a.printCoordinators(admin.ReadCoordinators(ctx, cfg))
			}
			return a.withClient(ctx, func(client *admin.Client) error {
				s, err := client.Snapshot(ctx, admin.Interest{})
				switch {
				case err != nil:
					return err
				case s.Mode == admin.ModeKRaft:
					return a.printControllers(s)
				}
				return usagef("name the ZooKeeper of this cluster with --zookeeper host:port")
			})
		},
	}
}

func (a *app) printCoordinators(all []admin.Coordinator) error {
	if a.output == "json" {
		return a.printJSON(all)
	}
	table := newColumns("ADDRESS", "ROLE", "ZXID", ">LATENCY MS", ">CONNECTIONS", ">OUTSTANDING", ">SYNCED", ">ZNODES", ">WATCHES", "VERSION")
	for _, c := range all {
		if c.Role == "" {
			table.add(c.Address, "silent", "-", "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		synced, watches := "", int64(-1)
		if d := c.Details; d != nil {
			watches = int64(d.Watches)
			if d.Synced >= 0 {
				synced = fmt.Sprintf("%d of %d", d.Synced, len(all)-1)
			}
		}
		table.add(c.Address, c.Role, zxid(c.Zxid), strconv.FormatFloat(c.LatencyAvg, 'f', 1, 64), number(int64(c.Connections)),
			number(int64(c.Outstanding)), synced, number(int64(c.Znodes)), number(watches), c.Version)
	}
	table.print(a.out)
	hidden := map[string][]string{}
	for _, c := range all {
		switch {
		case c.Error != "":
			fmt.Fprintf(a.err, "%s %s\n", c.Address, c.Error)
		case c.Details != nil && c.Details.Hidden != "":
			hidden[c.Details.Hidden] = append(hidden[c.Details.Hidden], c.Address)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(hidden)) { // what several say is said once
		others := ""
		if n := len(hidden[what]) - 1; n > 0 {
			others = fmt.Sprintf(", as %d more,", n)
		}
		fmt.Fprintf(a.err, "%s%s %s\n", hidden[what][0], others, what)
	}
	return nil
}

func (a *app) printControllers(s *admin.Snapshot) error {
	if a.output == "json" {
		return a.printJSON(s.Coordinators)
	}
	fmt.Fprintln(a.err, "this cluster runs in KRaft mode: these are the controllers of its metadata quorum")
	table := newColumns("CONTROLLER", "ADDRESS", "ROLE", ">LOG END", ">LAG")
	for _, c := range s.Coordinators {
		role := c.Role
		if role == "" {
			role = "silent"
		}
		table.add(s.NameOf(c.ID), c.Address, role, number(c.Zxid), number(c.Lag))
	}
	table.print(a.out)
	return nil
}

func zxid(n int64) string {
	if n < 0 {
		return "-"
	}
	return "0x" + strconv.FormatInt(n, 16)
}
