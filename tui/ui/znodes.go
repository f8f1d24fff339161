package ui

import (
	"fmt"

	"kdrill/admin/znodes"
)

// Browse says which znodes the screen shows; what is known of them arrives as [Znodes], until [Unbrowse].
type Browse struct{ Spec znodes.Spec }

// Unbrowse ends what [Browse] began.
type Unbrowse struct{}

// Znodes is what is known of the znodes that are shown.
type Znodes struct {
	View *znodes.View // nil if there is an error
	Err  error        // why znodes cannot be browsed
}

// CountZnodes asks how many znodes a subtree has; the answer arrives as [Subtree].
type CountZnodes struct{ Path string }

// Subtree is how many znodes there are at a path and below it.
type Subtree struct {
	Path  string
	Count int
	Whole bool // there are no more
	Err   error
}

// CreateZnode creates a persistent znode.
type CreateZnode struct {
	Path, Data string
	Sequential bool
}

// Line implements Deed.
func (c CreateZnode) Line() string {
	line := "kdrill znode create " + Quote(c.Path)
	if c.Data != "" {
		line += " " + Quote(c.Data)
	}
	if c.Sequential {
		line += " --sequential"
	}
	return line
}

// SetZnode replaces the data of a znode that has this version.
type SetZnode struct {
	Path, Data string
	Version    int32
}

// Line implements Deed.
func (s SetZnode) Line() string {
	return fmt.Sprintf("kdrill znode set %s %s --version %d --yes", Quote(s.Path), Quote(s.Data), s.Version)
}

// DeleteZnode deletes a znode, with all below it if it is recursive.
type DeleteZnode struct {
	Path      string
	Version   int32 // of one without children, znodes.AnyVersion for any
	Recursive bool
}

// Line implements Deed.
func (d DeleteZnode) Line() string {
	line := "kdrill znode delete " + Quote(d.Path)
	switch {
	case d.Recursive:
		line += " --recursive"
	case d.Version != znodes.AnyVersion:
		line += fmt.Sprintf(" --version %d", d.Version)
	}
	return line + " --yes"
}
