//go:build !linux

package cluster

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// pollEvery is how often the supervisor looks at its processes: one run of ps.
const pollEvery = time.Second

// psColumns are what [parsePS] reads. lstart comes last, for it consists of five words.
const psColumns = "pid=,state=,rss=,time=,lstart="

// look says what the system knows about processes; those that do not run are missing.
func look(pids ...int) map[int]vital {
	if len(pids) == 0 {
		return nil
	}
	list := make([]string, len(pids))
	for i, pid := range pids {
		list[i] = strconv.Itoa(pid)
	}
	ps := exec.Command("ps", "-o", psColumns, "-p", strings.Join(list, ","))
	ps.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, _ := ps.Output() // it fails when one of them is gone
	return parsePS(string(out))
}

// running finds processes by their command lines: program and arguments, joined by blanks.
func running(wanted map[string]bool) map[string]process {
	found := map[string]process{}
	out, err := exec.Command("ps", "-axww", "-o", "pid=,command=").Output()
	if err != nil {
		return found
	}
	for line := range strings.Lines(string(out)) {
		number, command, _ := strings.Cut(strings.TrimSpace(line), " ")
		command = strings.TrimSpace(command)
		pid, err := strconv.Atoi(number)
		if !wanted[command] || err != nil {
			continue
		}
		if p, err := identify(pid); err == nil {
			found[command] = p
		}
	}
	return found
}
