package cluster

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// process names one process for good: a pid is used again one day, a pid with the time its process started is not.
type process struct {
	PID      int    `json:"pid"`
	Identity string `json:"identity"` // boot and start time, as the platform tells them
}

func (p process) IsZero() bool { return p.PID == 0 }

// vital is what the system says about a process now.
type vital struct {
	identity string
	halted   bool // by SIGSTOP
	rss      int64
	cpu      time.Duration
}

var errGone = errors.New("the process is gone")

// alive says whether the very process p still runs. A process that has ended and was not waited for does not run.
func (p process) alive() bool {
	v, ok := look(p.PID)[p.PID]
	return ok && v.identity == p.Identity
}

// signal signals the process group that p leads, if it is p that leads it.
func (p process) signal(sig syscall.Signal) error {
	if p.IsZero() || !p.alive() {
		return errGone
	}
	if err := syscall.Kill(-p.PID, sig); err != nil {
		if errors.Is(err, syscall.ESRCH) {
			return errGone
		}
		return fmt.Errorf("signal %d to process group %d: %w", sig, p.PID, err)
	}
	return nil
}

// identify returns the process with a pid, to be recognized later.
func identify(pid int) (process, error) {
	v, ok := look(pid)[pid]
	if !ok {
		return process{PID: pid}, errGone
	}
	return process{PID: pid, Identity: v.identity}, nil
}
