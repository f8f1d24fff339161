package store

import (
	"os"
	"syscall"
)

// datasync makes what was written to f durable; not when it was written, which nobody needs.
func datasync(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	failed := conn.Control(func(fd uintptr) {
		for err = syscall.Fdatasync(int(fd)); err == syscall.EINTR; {
			err = syscall.Fdatasync(int(fd))
		}
	})
	if failed != nil {
		return failed
	}
	return os.NewSyscallError("fdatasync", err)
}
