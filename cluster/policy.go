package cluster

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Policy says which ends of a process are followed by a restart, in the words of systemd's Restart=.
type Policy string

// The policies. A node that somebody stopped is never restarted.
const (
	RestartNo         Policy = "no"          // whatever happens, it stays down, so that a failure can be watched
	RestartOnSuccess  Policy = "on-success"  // status 0
	RestartOnFailure  Policy = "on-failure"  // another status, or a signal
	RestartOnAbnormal Policy = "on-abnormal" // a signal
	RestartAlways     Policy = "always"
)

// policies lists what a policy may be.
var policies = []Policy{RestartNo, RestartOnSuccess, RestartOnFailure, RestartOnAbnormal, RestartAlways}

// ParsePolicy checks a policy; empty means [RestartNo].
func ParsePolicy(word string) (Policy, error) {
	if word == "" {
		return RestartNo, nil
	}
	if !slices.Contains(policies, Policy(word)) {
		return "", fmt.Errorf("restart policy %q: must be one of %s", word, join(policies))
	}
	return Policy(word), nil
}

// Exit is how a process ended.
type Exit struct {
	Known  bool `json:"known"`            // false if it was not our child and nobody saw its status
	Signal int  `json:"signal,omitempty"` // 0 if it ended by itself
	Status int  `json:"status,omitempty"`
}

func (e Exit) String() string {
	switch {
	case !e.Known:
		return "unseen"
	case e.Signal != 0:
		return fmt.Sprintf("signal %d", e.Signal)
	default:
		return fmt.Sprintf("status %d", e.Status)
	}
}

// follows says whether a restart follows the exit. An exit that nobody saw counts as abnormal.
func (p Policy) follows(e Exit) bool {
	abnormal := e.Signal != 0 || !e.Known
	switch p {
	case RestartAlways:
		return true
	case RestartOnSuccess:
		return !abnormal && e.Status == 0
	case RestartOnFailure:
		return abnormal || e.Status != 0
	case RestartOnAbnormal:
		return abnormal
	}
	return false
}

// failures counts the exits of a node; the count halves every [failureHalfLife], so that old failures are forgiven.
type failures struct {
	Count float64   `json:"count"`
	At    time.Time `json:"at"`
}

const (
	failureHalfLife  = 10 * time.Second
	failureThreshold = 4                      // more than that in a row delay the restart
	restartDelay     = 100 * time.Millisecond // as systemd's RestartSec=
	restartDelayMost = 30 * time.Second
)

// add counts one more failure.
func (f failures) add(now time.Time) failures {
	age := now.Sub(f.At).Seconds() / failureHalfLife.Seconds()
	return failures{Count: f.Count*math.Exp2(-max(age, 0)) + 1, At: now}
}

// delay is how long to wait before the restart that follows the last failure: restartDelay, and twice as long for every
// failure beyond the threshold.
func (f failures) delay() time.Duration {
	beyond := math.Ceil(f.Count) - failureThreshold
	if beyond <= 0 {
		return restartDelay
	}
	return time.Duration(min(float64(restartDelay)*math.Exp2(beyond), float64(restartDelayMost)))
}

func join[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}
