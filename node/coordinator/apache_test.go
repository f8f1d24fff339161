package coordinator

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kdrill/testdata/need"
)

// startApache starts size nodes of Apache ZooKeeper with the configuration that ours would get; a setting JVM=… is a
// system property, a setting HEAP=… the heap, which is small otherwise.
func startApache(t testing.TB, size int, settings ...string) *ensemble {
	t.Helper()
	properties := []string{"znode.container.checkIntervalMs=500"}
	var flags []string
	settings = slices.DeleteFunc(slices.Clone(settings), func(s string) bool {
		property, isProperty := strings.CutPrefix(s, "JVM=")
		heap, isHeap := strings.CutPrefix(s, "HEAP=")
		switch {
		case isProperty:
			properties = append(properties, property)
		case isHeap:
			flags = append(flags, "-Xmx"+heap)
		}
		return isProperty || isHeap
	})
	command := need.ZooKeeper(t, properties...)
	command = slices.Insert(command, len(command)-1, flags...)
	e := newEnsemble(t, size, append([]string{"initLimit=10", "syncLimit=5", "admin.enableServer=false"}, settings...)...)
	for _, p := range e.nodes {
		p.program = func() *exec.Cmd {
			return exec.Command(command[0], append(slices.Clone(command[1:]), filepath.Join(p.dir, "zoo.cfg"))...)
		}
		p.start()
	}
	for _, p := range e.nodes {
		eventually(t, "Apache node "+strconv.Itoa(p.id)+" serves", func() bool { return strings.Contains(fmt.Sprint(p.mode()), "e") })
	}
	return e
}
