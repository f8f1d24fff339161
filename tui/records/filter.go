package records

import (
	"strings"

	"kdrill/admin/records"
)

// filter is what the user typed: words that all have to match, each a regular expression. A word may start with
// key~, value~ or header~ to say where to look; a ! before the expression turns it round.
type filter []records.Filter

var fields = map[string]records.Field{
	"key~":    records.FieldKey,
	"value~":  records.FieldValue,
	"header~": records.FieldHeader,
}

func parseFilter(text string) (filter, error) {
	var f filter
	for word := range strings.FieldsSeq(text) {
		field := records.FieldAny
		for prefix, named := range fields {
			if rest, ok := strings.CutPrefix(word, prefix); ok {
				field, word = named, rest
			}
		}
		one, err := records.ParseFilter(field, word)
		if err != nil {
			return nil, err
		}
		f = append(f, one)
	}
	return f, nil
}

func (f filter) match(r *records.Record) bool {
	for _, one := range f {
		if !one.Match(r) {
			return false
		}
	}
	return true
}
