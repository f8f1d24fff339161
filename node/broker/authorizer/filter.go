package authorizer

import (
	"cmp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Filter selects entries. Nil and "any" leave a field open; the pattern "match" asks for all that concerns a name.
type Filter struct {
	Type       kmsg.ACLResourceType
	Name       *string
	Pattern    kmsg.ACLResourcePatternType
	Principal  *string
	Host       *string
	Operation  kmsg.ACLOperation
	Permission kmsg.ACLPermissionType
}

// Valid says whether every field is known.
func (f Filter) Valid() bool {
	return f.Type >= kmsg.ACLResourceTypeAny && f.Type <= kmsg.ACLResourceTypeUser &&
		f.Pattern >= kmsg.ACLResourcePatternTypeAny && f.Pattern <= kmsg.ACLResourcePatternTypePrefixed &&
		f.Operation >= kmsg.ACLOperationAny && f.Operation <= kmsg.ACLOperationDescribeTokens &&
		f.Permission >= kmsg.ACLPermissionTypeAny && f.Permission <= kmsg.ACLPermissionTypeAllow
}

// Matches says whether a filter selects an entry of a resource.
func (f Filter) Matches(on Resource, e Entry) bool {
	return f.matchesResource(on) &&
		(f.Principal == nil || *f.Principal == e.Principal) &&
		(f.Host == nil || *f.Host == e.Host) &&
		(f.Operation == kmsg.ACLOperationAny || f.Operation == e.Operation) &&
		(f.Permission == kmsg.ACLPermissionTypeAny || f.Permission == e.Permission)
}

func (f Filter) matchesResource(on Resource) bool {
	const literal, prefixed = kmsg.ACLResourcePatternTypeLiteral, kmsg.ACLResourcePatternTypePrefixed
	match := f.Pattern == kmsg.ACLResourcePatternTypeMatch
	switch {
	case f.Type != kmsg.ACLResourceTypeAny && f.Type != on.Type:
		return false
	case f.Pattern != kmsg.ACLResourcePatternTypeAny && !match && f.Pattern != on.Pattern:
		return false
	case f.Name == nil:
		return true
	case match && on.Pattern == literal:
		return *f.Name == on.Name || on.Name == AnyName
	case match && on.Pattern == prefixed:
		return strings.HasPrefix(*f.Name, on.Name)
	}
	return *f.Name == on.Name
}

// List is a resource with entries that a filter selected.
type List struct {
	Resource
	Entries []Entry
}

// Select returns what a filter selects, ordered by resource.
func (r *Rules) Select(f Filter) (lists []List) {
	for on, entries := range r.lists {
		var selected []Entry
		for _, e := range entries {
			if f.Matches(on, e) {
				selected = append(selected, e)
			}
		}
		if len(selected) > 0 {
			lists = append(lists, List{on, selected})
		}
	}
	slices.SortFunc(lists, func(a, b List) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name), cmp.Compare(a.Pattern, b.Pattern))
	})
	return lists
}
