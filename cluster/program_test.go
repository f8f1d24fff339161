package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kdrill/testdata/races"
)

// TestMain makes the test binary the program that clusters in these tests are made of: "supervise" is the supervisor,
// "node" is a small process that opens the ports of a node and answers probes.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-test") {
		os.Exit(races.Watched{Tests: m}.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	var err error
	switch os.Args[1] {
	case "supervise":
		err = superviseForTest(ctx, os.Args[3])
	case "node":
		err = nodeForTest(ctx, os.Args[2], os.Args[4])
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "kdrill: %v\n", err)
		os.Exit(1)
	}
}

func superviseForTest(ctx context.Context, name string) error {
	stateDir, err := StateDir()
	if err != nil {
		return err
	}
	return New(Config{StateDir: stateDir, Name: name, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}).Run(ctx)
}

// nodeForTest serves until it is told to end. The setting test.fail makes it fail with that message.
func nodeForTest(ctx context.Context, role, config string) error {
	data, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		settings[key] = value
	}
	if message := settings["test.fail"]; message != "" {
		return errors.New(message)
	}
	address := strings.TrimPrefix(settings["listeners"], "PLAINTEXT://")
	if role == string(Coordinator) {
		address = loopback + ":" + settings["clientPort"]
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	fmt.Println("serves on", address, "from", filepath.Dir(config))
	for {
		conn, err := l.Accept()
		if err != nil {
			return nil // told to end
		}
		go answerProbe(conn, role)
	}
}

func answerProbe(conn net.Conn, role string) {
	defer conn.Close()
	if role == string(Coordinator) {
		var word [4]byte
		if _, err := io.ReadFull(conn, word[:]); err == nil {
			fmt.Fprintf(conn, "Zookeeper version: 3.9\nMode: follower\nNode count: 5\n")
		}
		return
	}
	var request [25]byte // Metadata, answered with one broker
	if _, err := io.ReadFull(conn, request[:]); err == nil {
		_, _ = conn.Write([]byte{0, 0, 0, 40, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1})
	}
}
