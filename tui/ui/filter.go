package ui

import (
	"regexp"
	"strings"

	"github.com/sahilm/fuzzy"
)

// Filter says which rows to show: a regular expression without regard to case, turned round by a leading "!", or, after
// "-f ", letters that occur in this order.
type Filter struct {
	text    string
	pattern *regexp.Regexp
	inverse bool
	letters string
	problem string
}

// ParseFilter reads what the user typed. An expression that cannot be read matches its text as it is.
func ParseFilter(text string) Filter {
	f := Filter{text: text}
	rest := strings.TrimSpace(text)
	if letters, ok := strings.CutPrefix(rest, "-f "); ok {
		f.letters = strings.TrimSpace(letters)
		return f
	}
	rest, f.inverse = strings.CutPrefix(rest, "!")
	if rest == "" {
		return f
	}
	var err error
	if f.pattern, err = regexp.Compile("(?i)" + rest); err != nil {
		f.problem = "not a regular expression, taken literally"
		f.pattern = regexp.MustCompile("(?i)" + regexp.QuoteMeta(rest))
	}
	return f
}

// Active says whether the filter leaves anything out.
func (f Filter) Active() bool { return f.pattern != nil || f.letters != "" }

// Match says whether a row with this text is shown.
func (f Filter) Match(text string) bool {
	switch {
	case f.letters != "":
		return len(fuzzy.FindNoSort(f.letters, []string{text})) > 0
	case f.pattern != nil:
		return f.pattern.MatchString(text) != f.inverse
	}
	return true
}

// String is what the user typed.
func (f Filter) String() string { return f.text }

// Problem says what is wrong with it, empty if nothing is.
func (f Filter) Problem() string { return f.problem }
