package memory

import (
	"bufio"
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ForgetStart gives back what only the start of the process needed: pages of the program itself that are never
// changed, which the system reads again when they are needed, and free pages of the heap. It is for when a node begins to
// serve: most of this program is not the node's. It does so once more when a new node has met all others.
func ForgetStart() {
	forget()
	time.AfterFunc(met, forget)
}

// met is how long after it serves the elections, loads and first requests of a new node are over.
const met = 5 * time.Second

func forget() {
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
		line := scan.Bytes()
		if r, ok := header(line); ok {
			now = r
		} else if now.to > 0 && bytes.HasPrefix(line, []byte("Anonymous:")) && bytes.HasSuffix(line, []byte(" 0 kB")) {
			found = append(found, now)
		}
	}
	return found
}

// header reads the line with which a region begins; the region is empty if it is none of a file, or can be written to.
func header(line []byte) (r region, ok bool) {
	addresses, rest, _ := bytes.Cut(line, []byte(" "))
	from, to, ok := strings.Cut(string(addresses), "-")
	if !ok {
		return region{}, false
	}
	first, err1 := strconv.ParseUint(from, 16, 64)
	last, err2 := strconv.ParseUint(to, 16, 64)
	if err1 != nil || err2 != nil {
		return region{}, false
	}
	fields := bytes.Fields(rest) // mode, offset, device, inode, path
	if len(fields) != 5 || fields[4][0] != '/' || fields[0][0] != 'r' || fields[0][1] != '-' {
		return region{}, true
	}
	return region{uintptr(first), uintptr(last)}, true
}
