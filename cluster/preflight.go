package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kdrill/cluster/apache"
)

// preflight says what keeps nodes from starting on this machine, as far as that can be known before: an engine that is
// gone or cannot run in the mode, no Java or one too old, too little memory.
func preflight(ctx context.Context, stateDir string, s *Spec, nodes []Node) error {
	var names []string
	var need int64
	for _, n := range nodes {
		if name := s.EngineOf(n.Role); isApache(name) {
			names = append(names, name)
			need += s.memory(n.Role)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	java, err := apache.FindJava(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Compact(names) {
		d, err := Engines(stateDir).Get(name)
		if err == nil {
			err = d.Supports(string(s.mode()))
		}
		if err == nil {
			err = java.Runs(d)
		}
		if err != nil {
			return err
		}
	}
	if free, ok := availableMemory(); ok && need > free {
		return fmt.Errorf("%d JVMs would take about %d MB and %d MB are free: use --heap with a smaller size, fewer nodes, or the embedded engine", len(names), need>>20, free>>20)
	}
	return nil
}

// idle are the nodes of the cluster in dir that do not run.
func idle(dir string, s *Spec) []Node {
	r, _, err := readRun(dir)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Nodes), func(n Node) bool { return r.Nodes[n.Name].Process.alive() })
}

// availableMemory is what processes could take now without swapping; unknown where there is no /proc/meminfo.
func availableMemory() (int64, bool) {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemAvailable:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}

// EngineUsers are the clusters below a state directory that run an engine.
func EngineUsers(stateDir, engine string) (users []string) {
	all, _ := names(stateDir)
	for _, name := range all {
		if s, err := readSpec(filepath.Join(stateDir, name)); err == nil && slices.Contains(s.engines(), engine) {
			users = append(users, name)
		}
	}
	return users
}
