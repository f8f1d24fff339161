package log

import (
	"errors"
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

	reserved int64 // up to where space was set aside for appends; belongs to the one who appends
}

// create makes the file, empty.
func (f *file) create() error {
	o, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err == nil {
		err = o.Close()
	}
	return storage("created "+filepath.Base(f.path), err)
}

func (f *file) open() (*os.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone {
		return nil, errGone
	}
	if f.f == nil {
		o, err := os.OpenFile(f.path, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		f.f = o
	}
	return f.f, nil
}

// do calls a function with the open file, once more if the file was put to rest in between.
func (f *file) do(what string, call func(*os.File) error) error {
	f.used.Store(true)
	for {
		o, err := f.open()
		if errors.Is(err, errGone) {
			return err
		}
		if err == nil {
			if err = call(o); errors.Is(err, os.ErrClosed) {
				continue
			}
		}
		return storage(what+" "+filepath.Base(f.path), err)
	}
}

// readAt fills p from position at.
func (f *file) readAt(p []byte, at int64) error {
	return f.do("read", func(o *os.File) error {
		_, err := o.ReadAt(p, at)
		return err
	})
}

// Space is set aside for appends to come, half of what a file has: an append to blocks that are there costs a file system much less
// than one that has to find them. Small files get none, so that many small partitions do not fill a disk with nothing.
const (
	leastAhead = 512 << 10
	mostAhead  = 4 << 20
)

// reserve sets space aside for an append that will end at position end, and some more. It fails silently: the append says what is wrong.
func (f *file) reserve(o *os.File, at, end int64) {
	ahead := min(end/2, mostAhead)
	if end <= f.reserved || ahead < leastAhead {
		return
	}
	_ = allocate(o, at, end+ahead-at)
	f.reserved = end + ahead
}

// release gives back what reserve set aside beyond the file's end. Nobody appends meanwhile.
func (f *file) release() error {
	if f.reserved == 0 {
		return nil
	}
	f.reserved = 0
	return f.do("cut", func(o *os.File) error {
		info, err := o.Stat()
		if err != nil {
			return err
		}
		return o.Truncate(info.Size())
	})
}

// writeAt writes all of p at the end of the file, which is at position at, or nothing.
func (f *file) writeAt(p []byte, at int64) error {
	return f.do("wrote", func(o *os.File) error {
		f.reserve(o, at, at+int64(len(p)))
		_, err := o.WriteAt(p, at)
		if err != nil {
			f.reserved = 0
			err = errors.Join(err, o.Truncate(at))
		}
		return err
	})
}

func (f *file) truncate(size int64) error {
	f.reserved = 0
	return f.do("cut", func(o *os.File) error { return o.Truncate(size) })
}

// sync is content with a file that was deleted meanwhile.
func (f *file) sync() error {
	err := f.do("synced", (*os.File).Sync)
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// rest closes the file if it was not used since the last rest, and reports that.
func (f *file) rest() bool {
	if f.used.Swap(false) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
	return true
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
	return storage("closed "+filepath.Base(f.path), err)
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
