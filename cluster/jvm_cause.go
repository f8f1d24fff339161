package cluster

import (
	"regexp"
	"strings"
)

var (
	log4jError = regexp.MustCompile(`^\[[0-9-]{10} [0-9:,.]+\] (?:ERROR|FATAL) (.*?)(?: \([\w.$]+\))?$`)
	throwable  = regexp.MustCompile(`^(?:Caused by: |Exception in thread "[^"]*" )?(?:[a-z]\w*\.)+([A-Z][\w$]*): (.*)$`)
)

// jvmCause reads in the log of a JVM why it ended, in the words of the deepest exception of the last logged error; it is
// empty if the log is none of a JVM or shows no error.
func jvmCause(lines []string) string {
	var logged, thrown string
	for i, line := range lines {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "Error occurred during initialization of VM") && i+1 < len(lines):
			return "Java does not start: " + strings.TrimSpace(lines[i+1])
		case strings.HasPrefix(line, "Error: Could not"), strings.HasPrefix(line, "Unrecognized VM option"), strings.HasPrefix(line, "Invalid maximum heap size"):
			return "Java does not start: " + strings.TrimPrefix(line, "Error: ")
		case strings.HasPrefix(line, "Terminating due to java.lang.OutOfMemoryError"):
			return "out of memory (" + strings.TrimPrefix(line, "Terminating due to java.lang.OutOfMemoryError: ") + "): give it a larger --heap"
		}
		if m := log4jError.FindStringSubmatch(line); m != nil {
			logged, thrown = m[1], ""
		} else if m := throwable.FindStringSubmatch(line); m != nil {
			thrown = strings.TrimPrefix(m[2], "requirement failed: ")
			if thrown == "" {
				thrown = m[1]
			}
		}
	}
	if thrown != "" {
		return thrown
	}
	return logged
}
