package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"sync"
	"time"
)

// timeline is the file of events: one JSON object a line, in the order in which they were recorded. One goroutine
// appends; any number read, and only lines that are complete.
type timeline struct {
	file *os.File
	// faults are the open ones, the newest last; a node has one at most.
	faults []fault
	count  int // of faults, for their ids

	mu    sync.Mutex
	grown chan struct{} // closed and replaced by every append
}

// fault is what somebody did to a node and what has not been said to be over.
type fault struct {
	id, node string
	at       time.Time
}

// openTimeline opens the file, ends a line that its last writer could not, and finds the faults that are still open.
func openTimeline(path string) (*timeline, error) {
	t := &timeline{grown: make(chan struct{})}
	for e, err := range readTimeline(path, 0) {
		if err != nil {
			return nil, err
		}
		t.keep(e)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	t.file = f
	return t, t.endLine()
}

func (t *timeline) endLine() error {
	size, err := t.file.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := t.file.ReadAt(last, size-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = t.file.Write([]byte{'\n'})
	return err
}

// keep keeps track of the open faults: each until it is said to be recovered from, or its node has another one.
func (t *timeline) keep(e Event) {
	switch e.Kind {
	case KindFault:
		t.count++
		t.faults = slices.DeleteFunc(t.faults, func(f fault) bool { return f.node == e.Subject })
		t.faults = append(t.faults, fault{id: e.Fault, node: e.Subject, at: e.At})
	case KindRecovered:
		t.faults = slices.DeleteFunc(t.faults, func(f fault) bool { return f.id == e.Fault })
	}
}

// faultOf is the open fault that an event belongs to: that of the node that it is about or that it moves something away
// from, else the newest one before it.
func (t *timeline) faultOf(e Event) (fault, bool) {
	for _, mine := range []bool{true, false} {
		for _, f := range slices.Backward(t.faults) {
			if !e.At.Before(f.at) && (!mine || f.node == e.Subject || f.node == e.Old) {
				return f, true
			}
		}
	}
	return fault{}, false
}

// append stamps an event with the open fault that it belongs to and writes it.
func (t *timeline) append(e Event) error {
	if e.Kind == KindFault {
		e.Fault, e.Since = fmt.Sprintf("f%d", t.count+1), 0
	} else if f, ok := t.faultOf(e); ok {
		e.Fault, e.Since = f.id, e.At.Sub(f.at)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := t.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("timeline: %w", err)
	}
	t.keep(e)
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.grown)
	t.grown = make(chan struct{})
	return nil
}

// more is closed when an event has been appended after the call.
func (t *timeline) more() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.grown
}

func (t *timeline) close() error { return t.file.Close() }

// follow yields the events from number from on and those that are appended, until ctx ends or ended is closed.
func (t *timeline) follow(ctx context.Context, ended <-chan struct{}, from int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f, err := os.Open(t.file.Name())
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer f.Close()
		if from < 0 {
			from = max(0, countLines(f.Name())+from)
		}
		events := eventReader{lines: bufio.NewReader(f)}
		for at := 0; ; {
			more := t.more() // before the look at the file, so that no event falls between
			e, err := events.next()
			if err == nil {
				if at++; at > from && !yield(e, nil) {
					return
				}
				continue
			}
			if !errors.Is(err, io.EOF) {
				yield(Event{}, err)
				return
			}
			select {
			case <-more:
			case <-ended:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// readTimeline yields the events that are in the file now, from number from on; a negative number counts from the end. A
// line that is not an event, such as one that a crash cut short, is passed over.
func readTimeline(path string, from int) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			yield(Event{}, err)
			return
		}
		defer f.Close()
		r := eventReader{lines: bufio.NewReader(f)}
		if from < 0 {
			from = max(0, countLines(path)+from)
		}
		for number := 0; ; number++ {
			e, err := r.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil || number >= from {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

func countLines(path string) (n int) {
	for range readTimeline(path, 0) {
		n++
	}
	return n
}

// eventReader reads events from a file that grows.
type eventReader struct {
	lines *bufio.Reader
	part  []byte // of a line whose end is not written yet
}

// next returns the next event, or io.EOF while no further line is complete.
func (r *eventReader) next() (Event, error) {
	for {
		line, err := r.lines.ReadBytes('\n')
		r.part = append(r.part, line...)
		if err != nil {
			return Event{}, err
		}
		var e Event
		err = json.Unmarshal(r.part, &e)
		empty := len(bytes.TrimSpace(r.part)) == 0
		r.part = r.part[:0]
		if err == nil && !empty {
			return e, nil
		}
	}
}
