package need

import (
	"bufio"
	"encoding/base64"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "embed"
)

//go:embed Tools.java
var toolsJava []byte

// Tools are Kafka's command line tools, in one virtual machine: each start of one costs seconds.
type Tools struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
}

// KafkaTools starts the virtual machine, which ends with the test.
func KafkaTools(t testing.TB) *Tools {
	t.Helper()
	libs := Kafka(t, Kafka3)
	Program(t, "javac", "openjdk-17-jdk-headless") // java compiles a source file only where there is one
	source := filepath.Join(t.TempDir(), "Tools.java")
	if err := os.WriteFile(source, toolsJava, 0o600); err != nil {
		t.Fatal(err)
	}
	java := exec.Command("java", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(libs, "*"), source)
	in, err := java.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := java.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	java.Stderr = os.Stderr
	if err := java.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = java.Process.Kill()
		_ = java.Wait()
	})
	return &Tools{t, in, bufio.NewReader(out)}
}

// Try runs one tool, named by its class, with what it reads from standard input. It returns what was printed and the exit status.
func (k *Tools) Try(input, class string, args ...string) (printed string, status int) {
	k.t.Helper()
	words := append([]string{input, class}, args...)
	for i, w := range words {
		words[i] = base64.StdEncoding.EncodeToString([]byte(w))
	}
	if _, err := io.WriteString(k.in, strings.Join(words, " ")+"\n"); err != nil {
		k.t.Fatalf("%s: %v", class, err)
	}
	line, err := k.out.ReadString('\n')
	if err != nil {
		k.t.Fatalf("%s: the virtual machine ended: %v", class, err)
	}
	code, text, _ := strings.Cut(strings.TrimSpace(line), " ")
	decoded, err := base64.StdEncoding.DecodeString(text)
	status, codeErr := strconv.Atoi(code)
	if err != nil || codeErr != nil {
		k.t.Fatalf("%s: answered %q", class, line)
	}
	return string(decoded), status
}

// Run is Try for a tool that succeeds.
func (k *Tools) Run(class string, args ...string) string {
	k.t.Helper()
	return k.Feed("", class, args...)
}

// Feed is Run with input.
func (k *Tools) Feed(input, class string, args ...string) string {
	k.t.Helper()
	printed, status := k.Try(input, class, args...)
	if status != 0 {
		k.t.Errorf("%s %s ended with %d:\n%.2000s", class, strings.Join(args, " "), status, printed)
	}
	return printed
}
