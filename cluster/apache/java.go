package apache

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Java is a Java runtime.
type Java struct {
	Path    string `json:"path"`
	Version string `json:"version"` // as it calls itself: 17.0.15
	Major   int    `json:"major"`   // 17; 8 for 1.8
}

// JavaPath is the java that Apache's scripts would run: the one of JAVA_HOME, else the first in PATH.
func JavaPath() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		path := filepath.Join(home, "bin", "java")
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("JAVA_HOME is %s, but there is no %s: correct it or unset it", home, path)
		}
		return path, nil
	}
	path, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("no Java: install a JRE 17 or later (openjdk-17-jre-headless), or set JAVA_HOME")
	}
	return filepath.Abs(path)
}

var javaVersion = regexp.MustCompile(`version "((\d+)(?:\.(\d+))?[^"]*)"`)

// FindJava runs java -version.
func FindJava(ctx context.Context) (Java, error) {
	path, err := JavaPath()
	if err != nil {
		return Java{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	said, err := exec.CommandContext(ctx, path, "-version").CombinedOutput()
	m := javaVersion.FindStringSubmatch(string(said))
	if m == nil {
		line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
		return Java{}, fmt.Errorf("%s -version does not say a version (%v: %q): set JAVA_HOME to a working Java", path, err, line)
	}
	j := Java{Path: path, Version: m[1]}
	j.Major, _ = strconv.Atoi(m[2])
	if j.Major == 1 {
		j.Major, _ = strconv.Atoi(m[3])
	}
	return j, nil
}

// Runs says why this Java is too old for a distribution.
func (j Java) Runs(d Distribution) error {
	if j.Major < d.Java() {
		return fmt.Errorf("%s is Java %s and Kafka %s needs %d: install openjdk-17-jre-headless, or set JAVA_HOME to a newer one", j.Path, j.Version, d.Version, d.Java())
	}
	return nil
}
