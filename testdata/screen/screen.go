// Package screen is the terminal in front of a program: what somebody would see on it.
package screen

import (
	"io"
	"strings"
	"sync"

	"github.com/charmbracelet/x/vt"
)

// Screen shows what a program writes. A console sends only what differs from what it sent before: a word that is to be seen
// may have come in pieces. Safe for concurrent use.
type Screen struct {
	mu       sync.Mutex
	terminal *vt.Emulator
	sent     strings.Builder
	more     chan struct{} // closed and replaced by every write
}

// New makes an empty screen.
func New(cols, rows int) *Screen {
	s := &Screen{terminal: vt.NewEmulator(cols, rows), more: make(chan struct{})}
	go io.Copy(io.Discard, s.terminal) // it answers nothing, as many terminals
	return s
}

// Write implements [io.Writer].
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent.Write(p)
	close(s.more)
	s.more = make(chan struct{})
	return s.terminal.Write(p)
}

// Shows says whether a text without line breaks is on the screen, or was sent in one piece and may have scrolled away.
func (s *Screen) Shows(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.terminal.String(), text) || strings.Contains(s.sent.String(), text)
}

// More is closed when something is written after the call.
func (s *Screen) More() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.more
}

// Sent is everything that was written, as it was.
func (s *Screen) Sent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent.String()
}

// String is what stands on the screen.
func (s *Screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.terminal.String()
}
