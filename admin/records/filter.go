package records

import (
	"fmt"
	"regexp"
	"strings"
)

// Field is what a filter looks at.
type Field string

// The fields of a record.
const (
	FieldAny    Field = "any" // key, value or a header
	FieldKey    Field = "key"
	FieldValue  Field = "value"
	FieldHeader Field = "header" // as "name=value"
)

// Filter lets records pass; all filters of a tail must.
type Filter struct {
	Field   Field
	Pattern *regexp.Regexp
	Inverse bool
}

// ParseFilter reads a regular expression; a leading ! turns it round.
func ParseFilter(field Field, text string) (Filter, error) {
	pattern, inverse := strings.CutPrefix(text, "!")
	re, err := regexp.Compile(pattern)
	if err != nil {
		return Filter{}, fmt.Errorf("%s filter %q is no regular expression: %w", field, pattern, err)
	}
	return Filter{Field: field, Pattern: re, Inverse: inverse}, nil
}

// Match says whether the record passes.
func (f Filter) Match(r *Record) bool { return f.found(r) != f.Inverse }

func (f Filter) found(r *Record) bool {
	switch f.Field {
	case FieldKey:
		return f.Pattern.Match(r.Key)
	case FieldValue:
		return f.Pattern.Match(r.Value)
	case FieldHeader:
		return f.inHeaders(r)
	}
	return f.Pattern.Match(r.Key) || f.Pattern.Match(r.Value) || f.inHeaders(r)
}

func (f Filter) inHeaders(r *Record) bool {
	for _, h := range r.Headers {
		if f.Pattern.MatchString(h.Key + "=" + string(h.Value)) {
			return true
		}
	}
	return false
}

func matchAll(filters []Filter, r *Record) bool {
	for _, f := range filters {
		if !f.Match(r) {
			return false
		}
	}
	return true
}
