package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kdrill/admin"
	"kdrill/admin/znodes"
)

// znodeWait is how long a command waits for a coordinator to serve.
const znodeWait = 10 * time.Second

// withZnodes runs do with a session with the ensemble that the flags name.
func (a *app) withZnodes(ctx context.Context, do func(*znodes.Client) error) error {
	return a.withZooKeeper(ctx, func(cfg admin.Config) error {
		waiting, cancel := context.WithTimeout(ctx, znodeWait)
		defer cancel()
		client, err := znodes.Dial(waiting, znodes.Config{Connect: cfg.ZooKeeper, Access: cfg.ZooKeeperAccess})
		if err != nil {
			return err
		}
		defer client.Close()
		return do(client)
	})
}

// newZnodes lists the children of a znode.
func newZnodes(a *app) *cobra.Command {
	limit := 1000
	c := &cobra.Command{
		Use:   "znodes [PATH]",
		Short: "List the children of a znode",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s takes one path: leave out %q", c.CommandPath(), args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withZnodes(cmd.Context(), func(client *znodes.Client) error {
				at := client.Chroot()
				if len(args) > 0 {
					at = args[0]
				}
				if at == "" {
					at = "/"
				}
				if err := znodes.Check(at); err != nil {
					return usageError{err}
				}
				nodes, total, err := client.List(cmd.Context(), at, limit)
				if err != nil {
					return err
				}
				return a.printZnodes(nodes, total)
			})
		},
	}
	c.Flags().IntVar(&limit, "limit", limit, "list at most so many")
	return c
}

func (a *app) printZnodes(nodes []znodes.Node, total int) error {
	if a.output == "json" {
		if nodes == nil {
			nodes = []znodes.Node{}
		}
		return a.printJSON(nodes)
	}
	table := newColumns("ZNODE", ">VERSION", ">CHILDREN", ">BYTES", "MODIFIED", "OWNER", "DATA")
	for _, n := range nodes {
		modified := ""
		if n.Stat.Modified.UnixMilli() > 0 {
			modified = n.Stat.Modified.Format(time.DateTime)
		}
		table.add(n.Path, n.Stat.Version, number(int64(n.Stat.Children)), number(int64(n.Stat.Length)), modified, owner(n.Stat), znodes.Preview(n.Data, 60))
	}
	table.print(a.out)
	if more := total - len(nodes); more > 0 {
		fmt.Fprintf(a.err, "%s more are not shown: --limit %d lists all\n", number(int64(more)), total)
	}
	return nil
}

func owner(s znodes.Stat) string {
	switch {
	case s.Owner == 0:
		return ""
	case s.Container():
		return "container"
	case s.TTL():
		return "ttl"
	}
	return znodes.Session(s.Owner)
}

// newZnode works on one znode.
func newZnode(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "znode",
		Short: "Read, create, change or delete a znode",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newZnodeGet(a), newZnodeCreate(a), newZnodeSet(a), newZnodeDelete(a))
	return c
}

// znodePath takes the first argument, which must be a path.
func znodePath(args []string, most int) (string, error) {
	switch {
	case len(args) == 0:
		return "", usagef("the path of a znode is missing")
	case len(args) > most:
		return "", usagef("leave out %q", args[most])
	}
	if err := znodes.Check(args[0]); err != nil {
		return "", usageError{err}
	}
	return args[0], nil
}

func newZnodeGet(a *app) *cobra.Command {
	var raw bool
	format := string(znodes.Auto)
	c := &cobra.Command{
		Use:   "get PATH",
		Short: "Show the data, stat and ACL of a znode",
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := znodePath(args, 1)
			if err != nil {
				return err
			}
			switch znodes.Format(format) {
			case znodes.Auto, znodes.JSON, znodes.Text, znodes.Hex:
			default:
				return usagef("--format %s: must be auto, json, text or hex", format)
			}
			return a.withZnodes(cmd.Context(), func(client *znodes.Client) error {
				n, err := client.Get(cmd.Context(), at)
				switch {
				case err != nil:
					return err
				case a.output == "json":
					return a.printJSON(n)
				case raw:
					_, err := a.out.Write(n.Data)
					return err
				}
				a.printZnode(client, n, znodes.Format(format))
				return nil
			})
		},
	}
	c.Flags().BoolVar(&raw, "raw", false, "write the data and nothing else, byte for byte")
	c.Flags().StringVar(&format, "format", format, "auto, json, text or hex")
	return c
}

func (a *app) printZnode(client *znodes.Client, n znodes.Node, format znodes.Format) {
	fact := func(name, value string) {
		if value != "" {
			fmt.Fprintf(a.out, "%-9s %s\n", name, value)
		}
	}
	fact("path", n.Path)
	fact("is", znodes.Meaning(client.Chroot(), n.Path))
	fact("owner", owner(n.Stat))
	fact("version", fmt.Sprintf("%d, of the children %d, of the ACL %d", n.Stat.Version, n.Stat.Cversion, n.Stat.Aversion))
	if n.Stat.Modified.UnixMilli() > 0 {
		fact("modified", n.Stat.Modified.Format("2006-01-02 15:04:05.000")+"  zxid "+zxid(n.Stat.Mzxid))
		fact("created", n.Stat.Created.Format("2006-01-02 15:04:05.000")+"  zxid "+zxid(n.Stat.Czxid))
	}
	fact("children", number(int64(len(n.Children))))
	for _, acl := range n.ACL {
		fact("acl", acl.Scheme+":"+acl.ID+" "+acl.Perms)
	}
	text, as := znodes.Show(n.Data, format)
	fact("data", fmt.Sprintf("%s, %s", size(int64(len(n.Data))), as))
	if len(n.Data) > 0 {
		fmt.Fprintln(a.out, text)
	}
}

// znodeData is the data of the command line: an argument, or a file ("-" is the standard input).
func (a *app) znodeData(args []string, file string) ([]byte, error) {
	switch {
	case file != "" && len(args) > 1:
		return nil, usagef("name the data once: as an argument or with --file")
	case file == "-":
		return io.ReadAll(a.in)
	case file != "":
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, usageError{err}
		}
		return data, nil
	case len(args) > 1:
		return []byte(args[1]), nil
	}
	return nil, nil
}

func newZnodeCreate(a *app) *cobra.Command {
	var file string
	var sequential bool
	c := &cobra.Command{
		Use:   "create PATH [DATA]",
		Short: "Create a persistent znode that everybody may change",
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := znodePath(args, 2)
			if err != nil {
				return err
			}
			data, err := a.znodeData(args, file)
			if err != nil {
				return err
			}
			return a.withZnodes(cmd.Context(), func(client *znodes.Client) error {
				created, err := client.Create(cmd.Context(), at, data, sequential)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(map[string]string{"created": created})
				}
				fmt.Fprintf(a.out, "created %s\n", created)
				return nil
			})
		},
	}
	c.Flags().StringVar(&file, "file", "", "read the data from this file, - for the standard input")
	c.Flags().BoolVar(&sequential, "sequential", false, "add a number to the name")
	return c
}

func newZnodeSet(a *app) *cobra.Command {
	var file string
	var yes bool
	version := znodes.AnyVersion
	c := &cobra.Command{
		Use:   "set PATH DATA",
		Short: "Replace the data of a znode",
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := znodePath(args, 2)
			if err != nil {
				return err
			}
			if len(args) < 2 && file == "" {
				return usagef("the data is missing: write it behind the path, or name a file with --file")
			}
			if why := znodes.Protected(at); why != "" {
				return errors.New("znode set: " + why)
			}
			data, err := a.znodeData(args, file)
			if err != nil {
				return err
			}
			return a.withZnodes(cmd.Context(), func(client *znodes.Client) error {
				if err := a.confirm(cmd.Context(), yes, znodeQuestion("Replace the data of ", at, znodes.Hits(client.Chroot(), at))); err != nil {
					return err
				}
				stat, err := client.Set(cmd.Context(), at, data, version)
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(znodes.Node{Path: at, Data: data, Stat: stat})
				}
				fmt.Fprintf(a.out, "set %s, version %d\n", at, stat.Version)
				return nil
			})
		},
	}
	c.Flags().StringVar(&file, "file", "", "read the data from this file, - for the standard input")
	c.Flags().Int32Var(&version, "version", version, "only if the znode has this version")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// znodeQuestion asks whether something is meant, after what it does to Kafka.
func znodeQuestion(what, at, hits string) string {
	return strings.TrimSpace(hits + " " + what + at + "?")
}

func newZnodeDelete(a *app) *cobra.Command {
	var yes, recursive bool
	version := znodes.AnyVersion
	c := &cobra.Command{
		Use:   "delete PATH",
		Short: "Delete a znode, with --recursive all below it too",
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := znodePath(args, 1)
			if err != nil {
				return err
			}
			if why := znodes.Protected(at); why != "" {
				return errors.New("znode delete: " + why)
			}
			return a.withZnodes(cmd.Context(), func(client *znodes.Client) error {
				return a.deleteZnode(cmd.Context(), client, at, version, recursive, yes)
			})
		},
	}
	c.Flags().BoolVar(&recursive, "recursive", false, "delete all below it too")
	c.Flags().Int32Var(&version, "version", version, "only if the znode has this version")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *app) deleteZnode(ctx context.Context, client *znodes.Client, at string, version int32, recursive, yes bool) error {
	what, deleted := "Delete ", 1
	if recursive && a.asks(yes) {
		paths, _, err := client.Subtree(ctx, at, znodes.MostDeleted)
		if err != nil {
			return err
		}
		what = fmt.Sprintf("Delete %s: ", count(len(paths), "znode"))
	}
	if err := a.confirm(ctx, yes, znodeQuestion(what, at, znodes.Hits(client.Chroot(), at))); err != nil {
		return err
	}
	var err error
	if recursive {
		deleted, err = client.DeleteAll(ctx, at)
	} else {
		err = client.Delete(ctx, at, version)
	}
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(map[string]any{"deleted": at, "znodes": deleted})
	}
	fmt.Fprintf(a.out, "deleted %s, %s\n", at, count(deleted, "znode"))
	return nil
}
