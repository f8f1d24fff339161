// Package need says which third-party programs a test talks to. Where one is missing the test is skipped with
// the name of what to install; with KDRILL_REQUIRE_CLIENTS=1 it fails instead.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program; name is a command or an absolute path, install what brings it.
func Program(t testing.TB, name, install string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	missing(t, name, install)
	return ""
}

// File checks that a file exists.
func File(t testing.TB, path, install string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		missing(t, path, install)
	}
	return path
}

func missing(t testing.TB, what, install string) {
	t.Helper()
	if os.Getenv("KDRILL_REQUIRE_CLIENTS") != "" {
		t.Fatalf("%s is missing: install %s", what, install)
	}
	t.Skipf("%s is missing: install %s to run this test", what, install)
}
