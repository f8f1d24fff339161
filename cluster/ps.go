package cluster

import (
	"strconv"
	"strings"
	"time"
)

// parsePS reads what ps printed, the columns pid, state, rss, time and lstart, one process a line: "412 S 18220 0:01.25 Fri Nov 20 19:27:56 2026".
func parsePS(out string) map[int]vital {
	found := map[int]vital{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 5 || strings.HasPrefix(f[1], "Z") {
			continue
		}
		pid, err := strconv.Atoi(f[0])
		if err != nil {
			continue
		}
		kib, _ := strconv.ParseInt(f[2], 10, 64)
		found[pid] = vital{
			identity: strings.Join(f[4:], " "),
			halted:   strings.HasPrefix(f[1], "T"),
			rss:      kib << 10,
			cpu:      parseCPU(f[3]),
		}
	}
	return found
}

// parseCPU reads a time such as 1:02.25, 1:00:02 or 2-01:00:02.
func parseCPU(text string) time.Duration {
	days, clock, ok := strings.Cut(text, "-")
	if !ok {
		days, clock = "0", text
	}
	total, err := strconv.ParseFloat(days, 64)
	if err != nil {
		return 0
	}
	seconds := 0.
	for part := range strings.SplitSeq(clock, ":") {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil {
			return 0
		}
		seconds = seconds*60 + n
	}
	return time.Duration((total*24*3600 + seconds) * float64(time.Second))
}
