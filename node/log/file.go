package log

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// errGone tells a reader that the segment it found was deleted meanwhile: look again.
var errGone = errors.New("segment deleted")

// A file is opened when first used and may be closed while idle, so that thousands of segments do not
// need thousands of descriptors.
type file struct {
	path string
	used atomic.Bool // since the last call of rest

	mu   sync.Mutex
	f    *os.File
	gone bool
}

func (f *file) open() (*os.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil, errGone
	}
	if f.f == nil {
		o, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, storage("opened "+filepath.Base(f.path), err)
		}
		f.f = o
	}
	return f.f, nil
}

// readAt fills p from position at; a file that was closed while idle is opened again.
func (f *file) readAt(p []byte, at int64) error {
	f.used.Store(true)
	for {
		o, err := f.open()
		if err != nil {
			return err
		}
		_, err = o.ReadAt(p, at)
		if errors.Is(err, os.ErrClosed) {
			continue
		}
		return storage(fmt.Sprintf("read %s at %d", filepath.Base(f.path), at), err)
	}
}

func (f *file) writeAt(p []byte, at int64) error {
	f.used.Store(true)
	o, err := f.open()
	if err != nil {
		return err
	}
	if _, err = o.WriteAt(p, at); err != nil {
		// What was written in part is cut off, so that the file ends with a whole batch again.
		return errors.Join(storage("wrote "+filepath.Base(f.path), err), storage("cut "+filepath.Base(f.path), o.Truncate(at)))
	}
	return nil
}

func (f *file) truncate(size int64) error {
	o, err := f.open()
	if err != nil {
		return err
	}
	return storage("cut "+filepath.Base(f.path), o.Truncate(size))
}

func (f *file) sync() error {
	o, err := f.open()
	if errors.Is(err, errGone) {
		return nil
	} else if err != nil {
		return err
	}
	if err = o.Sync(); errors.Is(err, os.ErrClosed) {
		return nil // deleted meanwhile; rest does not close what may have to be synced
	}
	return storage("synced "+filepath.Base(f.path), err)
}

// rest closes the file if it was not used since the last rest.
func (f *file) rest() {
	if f.used.Swap(false) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
}

// close ends all use; readers get errGone.
func (f *file) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = true
	if f.f == nil {
		return nil
	}
	err := f.f.Close()
	f.f = nil
	return err
}

// replace writes a small file whole: readers see the old or the new content, never a part. Synced, it
// survives a power cut too.
func replace(path string, content []byte, synced bool) error {
	tmp := path + ".tmp"
	write := func() error {
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		if err == nil && synced {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		return os.Rename(tmp, path)
	}
	if err := write(); err != nil {
		os.Remove(tmp)
		return storage("wrote "+filepath.Base(path), err)
	}
	if synced {
		return syncFolder(filepath.Dir(path))
	}
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return storage("opened "+path, err)
	}
	return storage("synced "+path, errors.Join(d.Sync(), d.Close()))
}
