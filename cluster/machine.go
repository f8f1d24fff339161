package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// machine runs the nodes of one cluster as processes of this machine.
type machine struct {
	dir  string
	held *reservation
	said map[string]int64 // size of a node's log when its last process started
}

// start writes a node's files and starts its program as the leader of a process group, with its output in its log.
func (h *machine) start(n Node, p plan) (process, func() Exit, error) {
	h.held.release(n)
	if err := h.portsFree(n); err != nil {
		return process{}, nil, err
	}
	folder := nodeFolder(h.dir, n.Name)
	for _, f := range p.files {
		path := filepath.Join(folder, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return process{}, nil, err
		}
		if err := replaceFile(path, []byte(f.text), 0o644); err != nil {
			return process{}, nil, err
		}
	}
	log, err := h.openLog(n, filepath.Join(folder, logFile))
	if err != nil {
		return process{}, nil, err
	}
	defer log.Close()
	command := p.command(folder)
	command.Stdout, command.Stderr = log, log
	// A session of its own, not just a group: when its supervisor dies, the system would otherwise hang up on a group
	// that has a halted process.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return process{}, nil, err
	}
	wait := func() Exit {
		_ = command.Wait() // the state says it all
		// Whatever the node left behind. The id of a group is not used again while the group has members.
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		return exitOf(command.ProcessState)
	}
	id, err := identify(command.Process.Pid)
	if err != nil && !errors.Is(err, errGone) { // gone is fine: wait tells how it ended
		return process{}, nil, err
	}
	return id, wait, nil
}

// command is what is started: the program of the plan, or a shell that runs the errand and then becomes that program.
func (p plan) command(folder string) *exec.Cmd {
	command := exec.Command(p.program, p.args...)
	if p.first != nil {
		if _, err := os.Stat(p.first.proof); err != nil {
			errand := append([]string{p.first.program}, p.first.args...)
			script := fmt.Sprintf(`%s || exit; exec "$@"`, quoted(errand))
			command = exec.Command("/bin/sh", append([]string{"-c", script, "sh", p.program}, p.args...)...)
		}
	}
	command.Dir = folder
	return command
}

// quoted is an argument list in the words of a shell.
func quoted(argv []string) string {
	words := make([]string, len(argv))
	for i, arg := range argv {
		words[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return strings.Join(words, " ")
}

// portsFree says which port of a node somebody else has, while that is easy to say.
func (h *machine) portsFree(n Node) error {
	for _, port := range n.ports() {
		if err := h.held.name(*port); err != nil {
			return err
		}
		l, err := bind(*port)
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			return fmt.Errorf("port %d is in use by another program: end that, or change the port in %s while the cluster is down", *port, specFile)
		}
	}
	return nil
}

const logMost = 16 << 20

// openLog opens a node's log to append to; one that has grown large becomes node.log.1 first.
func (h *machine) openLog(n Node, path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logMost {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	h.said[n.Name], err = f.Seek(0, io.SeekEnd)
	return f, err
}

func exitOf(state *os.ProcessState) Exit {
	if state == nil {
		return Exit{}
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return Exit{Known: true, Signal: int(status.Signal())}
	}
	return Exit{Known: true, Status: state.ExitCode()}
}

func (*machine) signal(p process, sig syscall.Signal) error { return p.signal(sig) }

func (*machine) look(pids ...int) map[int]vital { return look(pids...) }

func (*machine) running(wanted map[string]bool) map[string]process { return running(wanted) }

func (*machine) serves(ctx context.Context, n Node) error { return serves(ctx, n) }

func (h *machine) reason(n Node) string {
	return lastError(filepath.Join(nodeFolder(h.dir, n.Name), logFile), h.said[n.Name])
}
