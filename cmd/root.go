// Package cmd is the command line of kdrill: it turns flags, files and the environment into values, starts the
// services that a command needs and waits for them. It is the only package that knows all the others.
//
// A command lives in the file of its name. What commands share is in this file.
package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"kdrill/node/config"
)

// Exit statuses of the program.
const (
	exitOK     = 0
	exitFailed = 1 // the command could not do what it was asked
	exitUsage  = 2 // the command line or a configuration file is wrong
)

// usageError marks an error that the user mends on the command line or in a file.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef makes an error that ends the program with [exitUsage].
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// app is what every command gets: the values of the global flags and the program's streams.
type app struct {
	cluster       string // --cluster, the local cluster's name
	bootstrap     []string
	zookeeper     string
	zookeeperAuth string // digest:user:password, or @ and the file that has it
	adminPort     uint16 // of ZooKeeper's admin servers
	commandConfig string
	zookeeperTLS  string
	output        string // "text" or "json"

	in       io.Reader
	out, err io.Writer
}

// Main runs the command line args (without the program's name) and returns the exit status.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(a.err, "kdrill: %v\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		return exitUsage
	}
	return exitFailed
}

// noArgs refuses arguments: where commands follow, an unknown one.
func noArgs(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case !c.HasAvailableSubCommands():
		return usagef("%s takes no argument: leave out %q", c.CommandPath(), args[0])
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("there is no command %s %s: did you mean %s?", c.CommandPath(), args[0], strings.Join(near, " or "))
	}
	return usagef("there is no command %s %s: %s --help lists them", c.CommandPath(), args[0], c.CommandPath())
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "kdrill",
		Short:         "A terminal console for Kafka that is at its best when a broker dies",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		Args:          noArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.output != "text" && a.output != "json" {
				return usagef("--output %s: must be text or json", a.output)
			}
			return nil
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&a.cluster, "cluster", "default", "name of the local cluster")
	flags.StringSliceVar(&a.bootstrap, "bootstrap-server", nil, "brokers of another cluster, host:port,…")
	flags.StringVar(&a.zookeeper, "zookeeper", "", "ZooKeeper of that cluster, host:port,…/chroot")
	flags.StringVar(&a.zookeeperAuth, "zookeeper-auth", "", "who asks ZooKeeper, for znodes with ACLs: digest:USER:PASSWORD, or @FILE that holds it")
	flags.StringVar(&a.zookeeperTLS, "zk-tls-config-file", "", "properties with zookeeper.ssl.* settings, where ZooKeeper wants TLS")
	flags.Uint16Var(&a.adminPort, "zookeeper-admin-port", defaultAdminPort, "port of ZooKeeper's admin servers (admin.serverPort)")
	flags.StringVar(&a.commandConfig, "command-config", "", "client.properties with security settings")
	flags.StringVarP(&a.output, "output", "o", "text", "text or json")
	addConsole(root, a)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(newVersion(a))
	root.AddCommand(newNode(a))
	root.AddCommand(newUp(a), newDown(a), newPS(a), newLogs(a), newAdd(a), newClusters(a), newEngine(a), newSupervise(a))
	root.AddCommand(newFaults(a)...)
	root.AddCommand(newTopics(a), newTopic(a), newGroups(a), newGroup(a), newElect(a), newProduce(a), newTail(a), newEvents(a))
	root.AddCommand(newCoordinators(a), newSessions(a), newZnodes(a), newZnode(a))
	return root
}

// printJSON writes value as one line of JSON.
func (a *app) printJSON(value any) error { return json.NewEncoder(a.out).Encode(value) }
