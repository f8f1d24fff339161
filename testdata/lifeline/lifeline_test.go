package lifeline

import (
	"io"
	"os"
	"os/exec"
	"testing"
)

// TestMain makes the test binary a parent, which starts a child and then waits for ever, and that child.
func TestMain(m *testing.M) {
	switch os.Getenv("LIFELINE_ROLE") {
	case "parent":
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "LIFELINE_ROLE=child")
		child.Stdout = os.Stdout
		if err := Tie(child); err != nil {
			panic(err)
		}
		if err := child.Start(); err != nil {
			panic(err)
		}
		select {}
	case "child":
		Hold()
		os.Stdout.WriteString("alive\n")
		select {}
	}
	os.Exit(m.Run())
}

// The child holds the other end of the pipe that it says alive on: once the parent is killed, the pipe ends when the
// child does.
func TestAChildEndsWithItsParentThatIsKilled(t *testing.T) {
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), "LIFELINE_ROLE=parent")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	parent.Stdout = in
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if _, err := io.ReadFull(out, make([]byte, len("alive\n"))); err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	if _, err := io.ReadAll(out); err != nil { // returns when nobody has the other end
		t.Fatal(err)
	}
}
