// Package lifeline ends the processes of a test with the test, however that ends: also when it is killed and cleans
// nothing up. A process holds one end of a pipe; when the other end goes with its parent, it exits.
package lifeline

import (
	"io"
	"os"
	"os/exec"
)

const variable = "KDRILL_TEST_LIFELINE"

// Tie makes a process that has not been started yet one that ends with this one, if it calls [Hold]. Call it after the
// command's environment is complete.
func Tie(c *exec.Cmd) error {
	c.Env = append(c.Environ(), variable+"=stdin")
	_, err := c.StdinPipe() // c closes it when it has been waited for
	return err
}

// Hold makes this process, if it was tied, end with its parent.
func Hold() {
	if os.Getenv(variable) == "" {
		return
	}
	os.Unsetenv(variable) // this process's own children are not tied by it
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
}
