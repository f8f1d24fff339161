package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// dial connects to the supervisor. One that ought to be there and is not is started.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	r, ok, err := readRun(c.dir)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, c.down()
	}
	conn, err := dialSocket(ctx, r.Socket)
	if err == nil || ctx.Err() != nil || c.passive {
		return conn, err
	}
	launched := c.launch(ctx, adopting+"=1")
	switch r, ok, err = readRun(c.dir); {
	case err == nil && !ok: // taken down meanwhile
		return nil, c.down()
	case launched != nil:
		return nil, launched
	case err != nil:
		return nil, err
	}
	return dialSocket(ctx, r.Socket)
}

func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

// supervised says whether a supervisor answers on its socket.
func (c *Client) supervised(ctx context.Context) bool {
	r, ok, err := readRun(c.dir)
	if err != nil || !ok {
		return false
	}
	conn, err := dialSocket(ctx, r.Socket)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// launch starts a supervisor in a session of its own, so that no terminal's signal reaches it, and waits until it
// answers. If another one is faster, that is as good. env is added to its environment.
func (c *Client) launch(ctx context.Context, env ...string) error {
	if _, err := os.Stat(program(c.dir)); err != nil {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		if err := installProgram(c.dir, self); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(filepath.Join(c.dir, supervisorLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	said, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	supervisor := exec.Command(program(c.dir), "supervise", "--cluster", c.name)
	supervisor.Dir = c.dir
	supervisor.Env = append(append(os.Environ(), "XDG_STATE_HOME="+filepath.Dir(filepath.Dir(c.dir))), env...)
	supervisor.Stdout, supervisor.Stderr = log, log
	supervisor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := supervisor.Start(); err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- supervisor.Wait() }()
	var failure error
	var late <-chan time.Time
	for !c.supervised(ctx) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			failure = fmt.Errorf("supervisor of %s ended (%v): %s", c.name, err, lastError(log.Name(), said))
			late = time.After(rivalTime)
		case <-late:
			return failure
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// adopting is set for a supervisor that takes the place of one that died: where the cluster was taken down before it has its
// lock, it ends, and is not left behind by that.
const adopting = "KDRILL_ADOPTING"

// rivalTime is how long a supervisor that was faster than ours may take from its lock to its first answer.
const rivalTime = 2 * time.Second

// gone waits until the supervisor of r has let go of the cluster.
func (c *Client) gone(ctx context.Context, r run) error {
	for r.Supervisor.alive() {
		if err := ctx.Err(); err != nil {
			return err
		}
		pause(ctx, 5*time.Millisecond)
	}
	return nil
}

// acquire takes the lock that makes its holder the only supervisor of the cluster in dir. It ends with the process, so
// that the lock of a supervisor that was killed is nobody's, if not at the very moment of its death.
func acquire(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	for deadline := time.Now().Add(lockTime); ; {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				if time.Now().Before(deadline) {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				return nil, fmt.Errorf("cluster %s has a supervisor already", filepath.Base(dir))
			}
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// The one before may have removed the file between our open and our lock: then the lock guards nothing.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return f, nil
		}
		f.Close()
	}
}

// lockTime is how long the lock of a process that dies may outlive it.
const lockTime = 300 * time.Millisecond

// maxSocketPath is what the address of a Unix socket holds on every platform we build for.
const maxSocketPath = 103

// listenSocket listens in the cluster's folder, or in a short folder of its own if that path is too long for a socket.
// before is the path of the last supervisor's socket.
func listenSocket(dir, before string) (*net.UnixListener, error) {
	path := filepath.Join(dir, socketFile)
	if len(path) > maxSocketPath {
		removeSocket(dir, before)
		short, err := os.MkdirTemp(shortTemp(), "kdrill-")
		if err != nil {
			return nil, err
		}
		path = filepath.Join(short, "s")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // ours to do, under the lock
	return l, os.Chmod(path, 0o600)
}

// removeSocket removes a socket, and its folder if that is not the cluster's.
func removeSocket(dir, path string) {
	if path == "" {
		return
	}
	os.Remove(path)
	if folder := filepath.Dir(path); folder != dir && strings.HasPrefix(filepath.Base(folder), "kdrill-") {
		os.Remove(folder)
	}
}

func shortTemp() string {
	if temp := os.TempDir(); len(temp) < maxSocketPath/2 {
		return temp
	}
	return "/tmp"
}
