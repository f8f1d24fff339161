package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// The folder of a cluster:
//
//	cluster.yaml       what it consists of
//	supervisor.lock    held by the supervisor while it lives
//	supervisor.sock    its API
//	supervisor.log
//	run.json           what runs: written by the supervisor, removed once everything is down
//	events.jsonl       the timeline
//	bin/kdrill         the program that supervisor and nodes run
//	nodes/<name>/      server.properties or zoo.cfg, data/, node.log
const (
	lockFile      = "supervisor.lock"
	socketFile    = "supervisor.sock"
	supervisorLog = "supervisor.log"
	runFile       = "run.json"
	timelineFile  = "events.jsonl"
	logFile       = "node.log"
)

// SupervisorName stands for the supervisor where a node is named, as in [Client.Log].
const SupervisorName = "supervisor"

// What somebody may branch on.
var (
	ErrNotFound = errors.New("no such cluster")
	ErrDown     = errors.New("cluster is down")
	ErrExists   = errors.New("cluster exists")
)

// StateDir is where the clusters of this user live: $XDG_STATE_HOME/kdrill, or ~/.local/state/kdrill.
func StateDir() (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) { // the XDG specification has relative paths ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("state directory: set HOME or XDG_STATE_HOME: %w", err)
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "kdrill"), nil
}

func nodeFolder(dir, name string) string { return filepath.Join(dir, "nodes", name) }

// program is the cluster's own copy of the executable.
func program(dir string) string { return filepath.Join(dir, "bin", "kdrill") }

// installProgram copies the executable to where supervisor and nodes run it from, unless it is there already. What runs
// keeps its old file.
func installProgram(dir, executable string) error {
	to := program(dir)
	source, err := os.Open(executable)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	if have, err := os.Stat(to); err == nil && (os.SameFile(have, info) || have.Size() == info.Size() && have.ModTime().Equal(info.ModTime())) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	copied, err := os.CreateTemp(filepath.Dir(to), ".kdrill.*")
	if err != nil {
		return err
	}
	_, err = io.Copy(copied, source)
	err = errors.Join(err, copied.Chmod(0o755), copied.Close())
	if err == nil {
		err = errors.Join(os.Chtimes(copied.Name(), info.ModTime(), info.ModTime()), os.Rename(copied.Name(), to))
	}
	if err != nil {
		os.Remove(copied.Name())
		return fmt.Errorf("install %s: %w", to, err)
	}
	return nil
}

// run is what the supervisor of a cluster has running, so that the next one can adopt it.
type run struct {
	Supervisor process         `json:"supervisor"`
	Socket     string          `json:"socket"`
	Nodes      map[string]life `json:"nodes"`
}

// life is what is worth keeping of a node between two supervisors.
type life struct {
	State    State     `json:"state"`
	Process  process   `json:"process,omitzero"` // zero while it does not run
	Wanted   bool      `json:"wanted"`           // it ought to run
	Started  time.Time `json:"started,omitzero"`
	Served   bool      `json:"served"` // its process has answered a probe
	Starts   int       `json:"starts"` // how often its process was started
	Exit     *Exit     `json:"exit,omitempty"`
	Ended    time.Time `json:"ended,omitzero"` // when its last process did
	Reason   string    `json:"reason,omitempty"`
	Failures failures  `json:"failures,omitzero"`
}

// readRun returns what runs; ok is false if nothing ever ran or all of it was taken down.
func readRun(dir string) (r run, ok bool, err error) {
	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if errors.Is(err, fs.ErrNotExist) {
		return run{}, false, nil
	}
	if err != nil {
		return run{}, false, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return run{}, false, fmt.Errorf("%s: %w", filepath.Join(dir, runFile), err)
	}
	return r, true, nil
}

// names lists the clusters below the state directory.
func names(stateDir string) ([]string, error) {
	entries, err := os.ReadDir(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []string
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(stateDir, e.Name(), specFile)); err == nil {
			found = append(found, e.Name())
		}
	}
	slices.Sort(found)
	return found, err
}

// portsOfOthers are the ports that other clusters keep for themselves, running or not.
func portsOfOthers(stateDir, name string) map[int]bool {
	taken := map[int]bool{}
	all, _ := names(stateDir)
	for _, other := range all {
		if other == name {
			continue
		}
		s, err := readSpec(filepath.Join(stateDir, other))
		if err != nil {
			continue // its own commands say what is wrong with it
		}
		for i := range s.Nodes {
			for _, port := range s.Nodes[i].ports() {
				taken[*port] = *port != 0
			}
		}
	}
	return taken
}
