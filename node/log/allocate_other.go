//go:build !linux

package log

import (
	"errors"
	"os"
)

// allocate has the disk set aside the n bytes from position at.
func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }
