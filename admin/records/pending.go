package records

import (
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var errPending = errors.New("not there yet")

// Start says where a tail begins.
type Start struct {
	Kind StartKind
	Last int       // StartLast: so many records before the end, over all partitions
	Time time.Time // StartTime
}

// StartKind is one way to begin.
type StartKind int

// The ways to begin.
const (
	StartEnd StartKind = iota // what comes from now on
	StartBeginning
	StartLast
	StartTime
)

// Spec says what to tail.
type Spec struct {
	Topic      string
	Partitions []int32 // nil = all
	Start      Start
	Follow     bool // go on at the end; otherwise stop there
	Max        int  // stop after so many matching records; 0 = no end
	Filters    []Filter
	Buffer     int // records that Batches may hold back for a slow reader; 1000 if 0
}

// Field is what a filter looks at.
type Field string

// The fields of a record.
const (
	FieldAny    Field = "any" // key, value or a header's "name=value"
	FieldKey    Field = "key"
	FieldValue  Field = "value"
	FieldHeader Field = "header" // matched against "name=value"
)

// Filter lets records pass; all filters of a tail must.
type Filter struct {
	Field   Field
	Pattern *regexp.Regexp
	Inverse bool
}

// ParseFilter reads a regular expression; a leading ! turns it round.
func ParseFilter(field Field, text string) (Filter, error) { return Filter{}, errPending }

// Match says whether the record passes.
func (f Filter) Match(r *Record) bool { return false }

// Tail reads one topic.
type Tail struct{}

// NewTail makes a tail over connections with these options.
func NewTail(spec Spec, opts ...kgo.Opt) *Tail { return &Tail{} }

// Run reads until ctx ends or, without Follow, the end is reached. Batches hands out what it reads.
func (t *Tail) Run(ctx context.Context) error { return errPending }

// Batches is the conflating channel that Run feeds; closed when Run returns.
func (t *Tail) Batches() <-chan Batch { return nil }

// Each calls f for every matching record, instead of Run.
func (t *Tail) Each(ctx context.Context, f func(Record) error) error { return errPending }

// Text decodes bytes for people: UTF-8 as it is, everything else as hex with a 0x before it.
func Text(data []byte) string { return "" }
