package cluster

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"time"
)

// tail yields the last lines of a text file, all of them if count is negative, and with follow those that are added
// until ctx ends. A file that is not there has no lines; one that is replaced or cut is read again from its start.
func tail(ctx context.Context, path string, count int, follow bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		f, err := os.Open(path)
		for follow && errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			pause(ctx, tailEvery)
			f, err = os.Open(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err == nil && count >= 0 {
			err = seekLast(f, count)
		}
		if err != nil {
			yield("", err)
			return
		}
		lines, part := bufio.NewReader(f), ""
		defer func() { f.Close() }()
		for ctx.Err() == nil {
			text, err := lines.ReadString('\n')
			part += text
			switch {
			case err == nil:
				line := strings.TrimSuffix(part, "\n")
				part = ""
				if !yield(line, nil) {
					return
				}
			case !errors.Is(err, io.EOF):
				yield("", err)
				return
			case follow:
				pause(ctx, tailEvery)
				if next := replaced(f, path); next != nil {
					f.Close()
					f, part = next, ""
					lines.Reset(f)
				}
			default:
				if part != "" {
					yield(part, nil)
				}
				return
			}
		}
	}
}

const tailEvery = 100 * time.Millisecond

// replaced opens the file that stands at path now, if f has been read to its end and is another one or was cut.
func replaced(f *os.File, path string) *os.File {
	there, err := os.Stat(path)
	if err != nil {
		return nil
	}
	mine, err := f.Stat()
	if err != nil {
		return nil
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil || os.SameFile(mine, there) && there.Size() >= at {
		return nil
	}
	next, err := os.Open(path)
	if err != nil {
		return nil
	}
	return next
}

// seekLast moves to the start of the last count lines.
func seekLast(f *os.File, count int) error {
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil || count == 0 {
		return err
	}
	block := make([]byte, 64<<10)
	for end := at; at > 0; {
		from := max(0, at-int64(len(block)))
		part := block[:at-from]
		if _, err := f.ReadAt(part, from); err != nil {
			return err
		}
		for i := len(part) - 1; i >= 0; i-- {
			if part[i] != '\n' || from+int64(i) == end-1 {
				continue
			}
			if count--; count == 0 {
				_, err := f.Seek(from+int64(i)+1, io.SeekStart)
				return err
			}
		}
		at = from
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// lastError returns the line that tells best why the process failed that wrote the file from offset on: the last one that
// speaks of an error, else the last one.
func lastError(path string, offset int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		offset = max(offset, info.Size()-256<<10)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return ""
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return ""
	}
	return telling(strings.Split(string(data), "\n"))
}

// telling chooses the line that names the cause. The message of a program that gave up is the best there is; a panic's
// first line comes before its stack; then a logged error.
func telling(lines []string) string {
	if cause := jvmCause(lines); cause != "" {
		return cause
	}
	var last, logged, fatal string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
			return line
		case strings.HasPrefix(line, "kdrill: "):
			fatal = strings.TrimPrefix(line, "kdrill: ")
		case strings.Contains(line, "level=ERROR"), strings.Contains(line, " ERROR "), strings.Contains(line, "Exception"):
			logged = line
		}
		last = line
	}
	switch {
	case fatal != "":
		return fatal
	case logged != "":
		return logged
	}
	return last
}
