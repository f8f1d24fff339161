package log

import (
	"os"

	"golang.org/x/sys/unix"
)

// allocate has the disk set aside the n bytes from position at, which leaves the file's size as it is.
func allocate(f *os.File, at, n int64) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	failed := conn.Control(func(fd uintptr) { err = unix.Fallocate(int(fd), unix.FALLOC_FL_KEEP_SIZE, at, n) })
	if failed != nil {
		return failed
	}
	return os.NewSyscallError("fallocate", err)
}
