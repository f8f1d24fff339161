package cluster

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pollEvery is how often the supervisor looks at its processes: a few small files each.
const pollEvery = 200 * time.Millisecond

var bootID = sync.OnceValue(func() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
})

// look says what the system knows about processes; those that do not run are missing.
func look(pids ...int) map[int]vital {
	found := make(map[int]vital, len(pids))
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue
		}
		if v, ok := parseStat(string(stat), bootID()); ok {
			found[pid] = v
		}
	}
	return found
}

// userHZ is the unit of times in /proc on every architecture that Go runs on.
const userHZ = 100

// parseStat reads /proc/<pid>/stat: "pid (name) state ppid pgrp …", where name may hold blanks and parentheses.
func parseStat(stat, boot string) (v vital, ok bool) {
	_, rest, found := cutLast(stat, ") ")
	f := strings.Fields(rest) // f[0] is field 3 of proc(5)
	if !found || len(f) < 22 || f[0] == "Z" || f[0] == "X" {
		return vital{}, false
	}
	number := func(field int) int64 { n, _ := strconv.ParseInt(f[field-3], 10, 64); return n }
	return vital{
		identity: boot + "/" + f[22-3],
		halted:   f[0] == "T" || f[0] == "t",
		rss:      number(24) * int64(os.Getpagesize()),
		cpu:      time.Duration(number(14)+number(15)) * time.Second / userHZ,
	}, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// running finds processes by their command lines: program and arguments, joined by blanks.
func running(wanted map[string]bool) map[string]process {
	found := map[string]process{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return found
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		command := strings.ReplaceAll(strings.TrimSuffix(string(line), "\x00"), "\x00", " ")
		if err != nil || !wanted[command] {
			continue
		}
		if p, err := identify(pid); err == nil {
			found[command] = p
		}
	}
	return found
}
