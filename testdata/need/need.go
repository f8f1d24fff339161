// Package need says which third-party programs a test talks to. Where one is missing the test is skipped with
// the name of what to install; with KDRILL_REQUIRE_CLIENTS=1 it fails instead.
package need

import (
	"fmt"
	"os"
	"os/exec"
)

// T is the test, or the story of a test, that needs something.
type T interface {
	Skip(args ...any)
	Fatal(args ...any)
}

// Program returns the path of a program; name is a command or an absolute path, install what brings it.
func Program(t T, name, install string) string {
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	missing(t, name, install)
	return ""
}

// File checks that a file exists.
func File(t T, path, install string) string {
	if _, err := os.Stat(path); err != nil {
		missing(t, path, install)
	}
	return path
}

func missing(t T, what, install string) {
	if os.Getenv("KDRILL_REQUIRE_CLIENTS") != "" {
		t.Fatal(fmt.Sprintf("%s is missing: install %s", what, install))
	}
	t.Skip(fmt.Sprintf("%s is missing: install %s to run this test", what, install))
}
