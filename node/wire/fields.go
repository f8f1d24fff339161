package wire

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A decoder that believes every count it reads can be kept busy for minutes by a frame of a few bytes: kmsg counts down
// the number of tags even when nothing is left to read. So each frame of a flexible version is first walked along its
// fields, and is malformed if a count or length goes beyond its end.

//go:embed requests.txt
var requestsText string

// field is one field of a request, as requests.txt describes it.
type field struct {
	kind     byte // 'f' so many bytes, 's' string or bytes, '{' struct, '?' struct that may be null
	array    bool
	size     int
	from, to int16 // versions
	tag      int   // -1: not tagged
	fields   []field
}

// layouts are the fields of the flexible versions of requests, by key.
var layouts = sync.OnceValue(func() map[int16]field {
	all := map[int16]field{}
	var path []*[]field // where fields of each depth go
	var key int16
	var root field
	for line := range strings.Lines(requestsText + "\n") {
		line = strings.TrimRight(line, "\n")
		depth := len(line) - len(strings.TrimLeft(line, " "))
		switch text := strings.TrimLeft(line, " "); {
		case text == "" || text[0] == '#':
		case depth == 0:
			finish(all, key, &root)
			words := strings.Fields(text)
			n, err1 := strconv.ParseInt(words[0], 10, 16)
			flexible, err2 := strconv.ParseInt(words[1], 10, 16)
			if err1 != nil || err2 != nil {
				panic("wire: requests.txt: " + line)
			}
			key, root = int16(n), field{kind: '{', from: int16(flexible), to: math.MaxInt16, tag: -1}
			path = []*[]field{&root.fields}
		default:
			f, err := parseField(text)
			if err != nil || depth > len(path) {
				panic(fmt.Sprintf("wire: requests.txt: %q: %v", line, err))
			}
			list := path[depth-1]
			*list = append(*list, f)
			path = append(path[:depth], &(*list)[len(*list)-1].fields)
		}
	}
	finish(all, key, &root)
	return all
})

func finish(all map[int16]field, key int16, root *field) {
	if root.kind != 0 {
		all[key] = *root
	}
}

func parseField(text string) (field, error) {
	f := field{to: math.MaxInt16, tag: -1}
	text, tag, tagged := strings.Cut(text, "#")
	text, versions, limited := strings.Cut(text, "@")
	var err error
	number := func(text string, fallback int) int {
		if text == "" {
			return fallback
		}
		n, e := strconv.Atoi(text)
		if e != nil {
			err = e
		}
		return n
	}
	if tagged {
		f.tag = number(tag, -1)
	}
	if limited {
		low, high, _ := strings.Cut(versions, "-")
		f.from, f.to = int16(number(low, 0)), int16(number(high, math.MaxInt16))
	}
	text, f.array = strings.CutPrefix(text, "a")
	switch text {
	case "s", "b":
		f.kind = 's'
	case "[":
		f.kind, f.array = '{', true
	case "{", "?":
		f.kind = text[0]
	default:
		f.kind, f.size = 'f', number(text, 0)
	}
	return f, err
}

// fits checks that the counts and lengths of a request's body do not go beyond its end. What is not flexible has no tags
// and is left to the decoder.
func fits(key, version int16, body []byte) error {
	root, ok := layouts()[key]
	if !ok || version < root.from {
		return nil
	}
	w := walk{rest: body, version: version}
	w.one(&root)
	if w.over {
		return malformed("%s v%d: a count or length goes beyond the frame", kmsg.NameForKey(key), version)
	}
	return nil
}

// walk is a place in a body.
type walk struct {
	rest    []byte
	version int16
	over    bool // the end was passed
}

func (w *walk) skip(n uint64) {
	if n > uint64(len(w.rest)) {
		w.rest, w.over = nil, true
		return
	}
	w.rest = w.rest[n:]
}

func (w *walk) number() uint64 {
	n, size := binary.Uvarint(w.rest)
	if size <= 0 {
		w.rest, w.over = nil, true
		return 0
	}
	w.rest = w.rest[size:]
	return n
}

func (w *walk) field(f *field) {
	if !f.array {
		w.one(f)
		return
	}
	n := w.number() // one more than there are elements, 0 is null
	if n > uint64(len(w.rest))+1 {
		w.rest, w.over = nil, true
	}
	for i := uint64(1); i < n && !w.over; i++ {
		w.one(f)
	}
}

func (w *walk) one(f *field) {
	switch f.kind {
	case 'f':
		w.skip(uint64(f.size))
		return
	case 's':
		if n := w.number(); n > 1 {
			w.skip(n - 1)
		}
		return
	case '?':
		if len(w.rest) > 0 && int8(w.rest[0]) < 0 {
			w.skip(1)
			return
		}
		w.skip(1)
	}
	for i := range f.fields {
		if f := &f.fields[i]; f.tag < 0 && f.from <= w.version && w.version <= f.to && !w.over {
			w.field(f)
		}
	}
	w.tags(f)
}

// tags walks the tagged fields at the end of a struct. Those that a decoder may know are walked whatever the version.
func (w *walk) tags(f *field) {
	for n := w.number(); n > 0 && !w.over; n-- {
		tag, size := w.number(), w.number()
		if size > uint64(len(w.rest)) {
			w.rest, w.over = nil, true
			return
		}
		for i := range f.fields {
			if known := &f.fields[i]; known.tag >= 0 && uint64(known.tag) == tag {
				inner := walk{rest: w.rest[:size], version: max(w.version, known.from)}
				inner.field(known)
				w.over = w.over || inner.over
			}
		}
		w.skip(size)
	}
}
