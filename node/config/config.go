// Package config reads the configuration files of a node: Java property files such as server.properties
// and zoo.cfg.
//
// A node calls [Load], takes each setting it knows with a typed getter and then asks [File.Err] once: it
// holds every wrong value with its file, line and key. What no getter asked for is in [File.Unused].
//
// A File belongs to one goroutine until it has been read; it is small and short-lived.
package config

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/magiconair/properties"
)

// File is one configuration file: its values and where they stand.
type File struct {
	path   string
	values map[string]string
	lines  map[string]int
	used   map[string]bool
	errs   []mistake
}

// Error says what the user has to mend in a configuration. Its text is one line for each mistake.
type Error struct{ error }

func (e *Error) Unwrap() error { return e.error }

// Errorf makes an [Error].
func Errorf(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

// mistake is something wrong at a line; what is missing comes after the last one.
type mistake struct {
	line int
	error
}

// Entry is one setting as it stands in the file.
type Entry struct {
	Key, Value string
	Line       int
}

// Load reads a property file. The error names the file, and the line where there is one.
func Load(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, Errorf("configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads property data; path is only for errors.
func Parse(path string, data []byte) (*File, error) {
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	props, err := loader.LoadBytes(data)
	if err != nil {
		return nil, Errorf("%s: %w", path, err)
	}
	f := &File{path: path, values: props.Map(), lines: map[string]int{}, used: map[string]bool{}}
	for key, line := range keyLines(data) {
		if f.lines[key] != 0 {
			f.errs = append(f.errs, mistake{line, fmt.Errorf("%s:%d: %s is set again, first in line %d", path, line, key, f.lines[key])})
			continue
		}
		f.lines[key] = line
	}
	return f, nil
}

// keyLines yields each key with the line it starts on, by the rules of java.util.Properties.
func keyLines(data []byte) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		scan := bufio.NewScanner(bytes.NewReader(data))
		scan.Buffer(nil, len(data)+1)
		continued := false
		for n := 1; scan.Scan(); n++ {
			line := strings.TrimLeft(scan.Text(), " \t\f")
			starts := !continued && line != "" && line[0] != '#' && line[0] != '!'
			if starts || continued {
				tail := len(line) - len(strings.TrimRight(line, `\`))
				continued = tail%2 == 1
			}
			if !starts {
				continue
			}
			// The library unescapes; a key is cut at the first unescaped separator.
			p, err := (&properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}).LoadBytes([]byte(strings.TrimRight(line, `\`)))
			if err != nil || p.Len() != 1 {
				continue
			}
			if !yield(p.Keys()[0], n) {
				return
			}
		}
	}
}

// Path is the file's name as it was given.
func (f *File) Path() string { return f.path }

// Has says whether the file sets key, without using it.
func (f *File) Has(key string) bool { _, ok := f.values[key]; return ok }

// String returns a setting, or fallback if the file does not have it.
func (f *File) String(key, fallback string) string {
	value, ok := f.take(key)
	if !ok {
		return fallback
	}
	return value
}

// List returns a comma-separated setting without blanks around its items.
func (f *File) List(key string, fallback ...string) []string {
	value, ok := f.take(key)
	if !ok {
		return fallback
	}
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Int returns a whole number from least to most, both included.
func (f *File) Int(key string, fallback, least, most int64) int64 {
	value, ok := f.take(key)
	if !ok {
		return fallback
	}
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case err != nil:
		f.Reject(key, "%q is not a whole number", value)
	case n < least || n > most:
		f.Reject(key, "%d is not between %d and %d", n, least, most)
	default:
		return n
	}
	return fallback
}

// Float returns a number from least to most, both included.
func (f *File) Float(key string, fallback, least, most float64) float64 {
	value, ok := f.take(key)
	if !ok {
		return fallback
	}
	n, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil:
		f.Reject(key, "%q is not a number", value)
	case n < least || n > most:
		f.Reject(key, "%g is not between %g and %g", n, least, most)
	default:
		return n
	}
	return fallback
}

// Bool returns true or false, in any case.
func (f *File) Bool(key string, fallback bool) bool {
	value, ok := f.take(key)
	if !ok {
		return fallback
	}
	switch strings.ToLower(value) {
	case "true":
		return true
	case "false":
		return false
	}
	f.Reject(key, "%q is neither true nor false", value)
	return fallback
}

// Millis returns a time that the file gives in milliseconds.
func (f *File) Millis(key string, fallback time.Duration) time.Duration {
	most := int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(f.Int(key, fallback.Milliseconds(), 0, most)) * time.Millisecond
}

// OneOf returns a setting that must be one of the choices; the first is the default.
func (f *File) OneOf(key string, choices ...string) string {
	value, ok := f.take(key)
	if !ok {
		return choices[0]
	}
	if !slices.Contains(choices, value) {
		f.Reject(key, "%q is none of %s", value, strings.Join(choices, ", "))
		return choices[0]
	}
	return value
}

// Prefixed yields the settings whose key starts with prefix, in the order of their lines, and uses them.
func (f *File) Prefixed(prefix string) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, e := range f.entries() {
			if !strings.HasPrefix(e.Key, prefix) {
				continue
			}
			f.used[e.Key] = true
			if !yield(e) {
				return
			}
		}
	}
}

// Reject notes that the value of key is wrong; the sentence says why.
func (f *File) Reject(key, format string, args ...any) {
	where := f.path
	if line := f.lines[key]; line > 0 {
		where += ":" + strconv.Itoa(line)
	}
	f.errs = append(f.errs, mistake{f.lines[key], fmt.Errorf("%s: %s: %s", where, key, fmt.Sprintf(format, args...))})
}

// Require notes an error if the file lacks key.
func (f *File) Require(key string) {
	if !f.Has(key) {
		f.errs = append(f.errs, mistake{math.MaxInt, fmt.Errorf("%s: %s is missing", f.path, key)})
	}
}

// Err joins everything that is wrong with the file, one line each in the order of the file; nil if nothing is.
func (f *File) Err() error {
	if len(f.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(f.errs, func(a, b mistake) int { return a.line - b.line })
	all := make([]error, len(f.errs))
	for i, m := range f.errs {
		all[i] = m.error
	}
	return &Error{errors.Join(all...)}
}

// Unused returns the settings that no getter asked for, in the order of their lines.
func (f *File) Unused() []Entry {
	return slices.DeleteFunc(f.entries(), func(e Entry) bool { return f.used[e.Key] })
}

func (f *File) entries() []Entry {
	entries := make([]Entry, 0, len(f.values))
	for key, value := range f.values {
		entries = append(entries, Entry{Key: key, Value: value, Line: f.lines[key]})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Line - b.Line })
	return entries
}

func (f *File) take(key string) (string, bool) {
	value, ok := f.values[key]
	f.used[key] = true
	return strings.TrimSpace(value), ok
}
