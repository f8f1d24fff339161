package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Unknown stands for a value that was never read.
const Unknown = "?"

// Count writes a number with thousands separated; negative is unknown.
func Count(n int64) string {
	if n < 0 {
		return Unknown
	}
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes writes a size in three digits and a unit; negative is unknown.
func Bytes(n int64) string {
	if n < 0 {
		return Unknown
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	return scaled(float64(n)/1024, []string{" kB", " MB", " GB", " TB", " PB"}, 1024)
}

// Memory writes a size in as few cells as it can: 38M.
func Memory(n int64) string {
	if n <= 0 {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSuffix(Bytes(n), "B"), " ", "")
}

// Rate writes records per second; negative is unknown.
func Rate(perSecond float64) string {
	switch {
	case perSecond < 0:
		return Unknown
	case perSecond == 0:
		return "0/s"
	case perSecond < 10:
		return strconv.FormatFloat(perSecond, 'f', 1, 64) + "/s"
	case perSecond < 1000:
		return strconv.Itoa(int(perSecond+0.5)) + "/s"
	}
	return scaled(perSecond/1000, []string{"k", "M", "G"}, 1000) + "/s"
}

func scaled(x float64, units []string, step float64) string {
	i := 0
	for x >= step-0.5 && i < len(units)-1 {
		x /= step
		i++
	}
	if x < 9.95 {
		return strconv.FormatFloat(x, 'f', 1, 64) + units[i]
	}
	return strconv.Itoa(int(x+0.5)) + units[i]
}

// Age writes how long something has lasted: 8s, 4m12s, 3h05m, 2d04h.
func Age(d time.Duration) string {
	s := int(max(d, 0).Seconds())
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// Old writes the age of a value: "12 s old".
func Old(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s old", int(d.Seconds()))
	}
	return Age(d) + " old"
}

// Took writes a duration to the precision that matters: 31 ms, 2.02 s, 1m05s.
func Took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return Age(d)
}

// Since writes the time since a fault: +2.021.
func Since(d time.Duration) string { return fmt.Sprintf("+%.3f", d.Seconds()) }

// Plural writes a number of things.
func Plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + one + "s"
}

// And joins names as a sentence does; of many, only the first ones.
func And(names []string) string {
	const named = 12
	switch n := len(names); {
	case n == 0:
		return "nothing"
	case n == 1:
		return names[0]
	case n > named+1:
		return strings.Join(names[:named], ", ") + " and " + strconv.Itoa(n-named) + " more"
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// Broker is the name of a broker.
func Broker(id int32) string {
	if id < 0 {
		return "none"
	}
	return "broker-" + strconv.Itoa(int(id))
}

// IDs writes a list of broker ids: 1,3,2.
func IDs(ids []int32) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(id)))
	}
	return b.String()
}
