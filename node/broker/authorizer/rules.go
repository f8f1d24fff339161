package authorizer

import (
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Resource is what a list is about. A literal name "*" stands for all names.
type Resource struct {
	Type    kmsg.ACLResourceType
	Name    string
	Pattern kmsg.ACLResourcePatternType // literal or prefixed
}

// Entry is one line of a list.
type Entry struct {
	Principal  string // such as User:alice; User:* is everybody
	Host       string // an address; * is any
	Operation  kmsg.ACLOperation
	Permission kmsg.ACLPermissionType
}

// Wildcards.
const (
	AnyName      = "*"
	AnyHost      = "*"
	AnyPrincipal = "User:*"
)

// ClusterName is the name of the one resource of type cluster.
const ClusterName = "kafka-cluster"

// Who is the one that asks.
type Who struct{ Principal, Host string }

// Settings are the properties that decide beside the lists.
type Settings struct {
	SuperUsers          map[string]bool // super.users
	AllowIfNoACLIsFound bool            // allow.everyone.if.no.acl.found
}

// ParseSuperUsers reads super.users: principals with semicolons between them.
func ParseSuperUsers(text string) map[string]bool {
	users := map[string]bool{}
	for item := range strings.SplitSeq(text, ";") {
		if item = strings.TrimSpace(item); item != "" {
			users[item] = true
		}
	}
	return users
}

// Rules are all lists at one moment.
type Rules struct {
	settings Settings
	lists    map[Resource][]Entry
	lengths  map[kmsg.ACLResourceType][]int // of the names of prefixed resources, each once, sorted
}

// New returns rules without lists.
func New(s Settings) *Rules { return &Rules{settings: s} }

// With returns rules in which one resource has these entries; none removes its list.
func (r *Rules) With(on Resource, entries []Entry) *Rules {
	next := &Rules{settings: r.settings, lists: maps.Clone(r.lists), lengths: map[kmsg.ACLResourceType][]int{}}
	if len(entries) == 0 {
		delete(next.lists, on)
	} else {
		if next.lists == nil {
			next.lists = map[Resource][]Entry{}
		}
		next.lists[on] = entries
	}
	for resource := range next.lists {
		if resource.Pattern == kmsg.ACLResourcePatternTypePrefixed {
			lengths := next.lengths[resource.Type]
			if i, there := slices.BinarySearch(lengths, len(resource.Name)); !there {
				next.lengths[resource.Type] = slices.Insert(lengths, i, len(resource.Name))
			}
		}
	}
	return next
}

// Entries returns the list of one resource.
func (r *Rules) Entries(on Resource) []Entry { return r.lists[on] }

// Allowed says whether somebody may perform an operation on the resource of this type and name.
func (r *Rules) Allowed(who Who, op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) bool {
	if r.settings.SuperUsers[who.Principal] {
		return true
	}
	found, allowed := false, false
	for list := range r.matching(kind, name) {
		found = found || len(list) > 0
		for i := range list {
			switch e := &list[i]; {
			case !e.concerns(who):
			case e.Permission == kmsg.ACLPermissionTypeDeny:
				if e.names(op) {
					return false
				}
			default:
				allowed = allowed || e.implies(op)
			}
		}
	}
	if !found {
		return r.settings.AllowIfNoACLIsFound
	}
	return allowed
}

// matching yields the lists that concern a name.
func (r *Rules) matching(kind kmsg.ACLResourceType, name string) func(func([]Entry) bool) {
	const literal, prefixed = kmsg.ACLResourcePatternTypeLiteral, kmsg.ACLResourcePatternTypePrefixed
	return func(yield func([]Entry) bool) {
		if !yield(r.lists[Resource{kind, AnyName, literal}]) {
			return
		}
		if name != AnyName && !yield(r.lists[Resource{kind, name, literal}]) {
			return
		}
		for _, n := range r.lengths[kind] {
			if n > len(name) || !yield(r.lists[Resource{kind, name[:n], prefixed}]) {
				return
			}
		}
	}
}

func (e *Entry) concerns(who Who) bool {
	return (e.Principal == who.Principal || e.Principal == AnyPrincipal) && (e.Host == who.Host || e.Host == AnyHost)
}

// names says whether an entry is about an operation itself.
func (e *Entry) names(op kmsg.ACLOperation) bool {
	return e.Operation == op || e.Operation == kmsg.ACLOperationAll
}

// implies says whether allowing the entry's operation allows another one, too.
func (e *Entry) implies(op kmsg.ACLOperation) bool {
	if e.names(op) {
		return true
	}
	switch op {
	case kmsg.ACLOperationDescribe:
		return slices.Contains([]kmsg.ACLOperation{kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDelete, kmsg.ACLOperationAlter}, e.Operation)
	case kmsg.ACLOperationDescribeConfigs:
		return e.Operation == kmsg.ACLOperationAlterConfigs
	}
	return false
}

// AllowedAny says whether somebody may perform an operation on any resource of a type at all (KIP-679).
func (r *Rules) AllowedAny(who Who, op kmsg.ACLOperation, kind kmsg.ACLResourceType) bool {
	if r.settings.SuperUsers[who.Principal] {
		return true
	}
	allowed, denied := []Resource{}, map[Resource]bool{}
	for on, list := range r.lists {
		if on.Type != kind {
			continue
		}
		for i := range list {
			switch e := &list[i]; {
			case !e.concerns(who) || !e.names(op):
			case e.Permission == kmsg.ACLPermissionTypeDeny:
				denied[on] = true
			default:
				allowed = append(allowed, on)
			}
		}
	}
	if denied[Resource{kind, AnyName, kmsg.ACLResourcePatternTypeLiteral}] {
		return false
	}
	return r.settings.AllowIfNoACLIsFound || slices.ContainsFunc(allowed, func(on Resource) bool { return !dominated(on, denied) })
}

// dominated says whether what is allowed on a resource is denied on the same, or on a shorter prefix.
func dominated(on Resource, denied map[Resource]bool) bool {
	if on.Name == AnyName && on.Pattern == kmsg.ACLResourcePatternTypeLiteral {
		return false
	}
	if denied[on] {
		return true
	}
	for length := range len(on.Name) + 1 {
		if denied[Resource{on.Type, on.Name[:length], kmsg.ACLResourcePatternTypePrefixed}] {
			return true
		}
	}
	return false
}

// operations are those that a type of resource knows, as clients may ask for them.
var operations = map[kmsg.ACLResourceType][]kmsg.ACLOperation{
	kmsg.ACLResourceTypeTopic: {
		kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationCreate, kmsg.ACLOperationDelete,
		kmsg.ACLOperationAlter, kmsg.ACLOperationDescribe, kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationAlterConfigs,
	},
	kmsg.ACLResourceTypeGroup: {kmsg.ACLOperationRead, kmsg.ACLOperationDescribe, kmsg.ACLOperationDelete},
	kmsg.ACLResourceTypeCluster: {
		kmsg.ACLOperationCreate, kmsg.ACLOperationAlter, kmsg.ACLOperationDescribe, kmsg.ACLOperationClusterAction,
		kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationAlterConfigs, kmsg.ACLOperationIdempotentWrite,
	},
}

// Operations returns the operations that somebody may perform on a resource, one bit each (KIP-430). Without rules all
// are allowed.
func (r *Rules) Operations(who Who, kind kmsg.ACLResourceType, name string) (bits int32) {
	for _, op := range operations[kind] {
		if r == nil || r.Allowed(who, op, kind, name) {
			bits |= 1 << op
		}
	}
	return bits
}
