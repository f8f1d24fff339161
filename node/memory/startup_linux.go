package memory

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
)

// ForgetStart gives back what only the start of the process needed: pages of the program itself that are never
// changed, which the system reads again when they are needed, and free pages of the heap. It is for when a node begins to
// serve: most of this program is not the node's.
func ForgetStart() {
	debug.FreeOSMemory()
	if b, err := os.ReadFile("/proc/self/smaps"); err == nil {
		for _, r := range unchanged(b) {
			syscall.Syscall(syscall.SYS_MADVISE, r.from, r.to-r.from, syscall.MADV_DONTNEED)
		}
	}
}

// region is a range of addresses.
type region struct{ from, to uintptr }

// unchanged are the regions of files that cannot be written to and of which no page was changed before that was so, as a
// /proc/<pid>/smaps tells.
func unchanged(smaps []byte) []region {
	var found []region
	var now region
	for scan := bufio.NewScanner(bytes.NewReader(smaps)); scan.Scan(); {
		line := scan.Text()
		var r region
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &r.from, &r.to, &mode); n == 3 {
			now = region{}
			if fields := strings.Fields(line); len(fields) == 6 && strings.HasPrefix(fields[5], "/") && mode[0] == 'r' && mode[1] == '-' {
				now = r
			}
			continue
		}
		if now.to > 0 && strings.HasPrefix(line, "Anonymous:") && strings.Fields(line)[1] == "0" {
			found = append(found, now)
		}
	}
	return found
}
