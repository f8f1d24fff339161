package authorizer

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The paths of lists and of notifications that a list changed. Lists of prefixed resources have their own.
const (
	Literal         = "/kafka-acl"
	Prefixed        = "/kafka-acl-extended/prefixed"
	LiteralChanges  = "/kafka-acl-changes"
	PrefixedChanges = "/kafka-acl-extended-changes"
	changePrefix    = "/acl_changes_"
)

// types are the names of resource types in paths.
var types = map[kmsg.ACLResourceType]string{
	kmsg.ACLResourceTypeTopic: "Topic", kmsg.ACLResourceTypeGroup: "Group", kmsg.ACLResourceTypeCluster: "Cluster",
	kmsg.ACLResourceTypeTransactionalId: "TransactionalId", kmsg.ACLResourceTypeDelegationToken: "DelegationToken", kmsg.ACLResourceTypeUser: "User",
}

var operationNames = map[kmsg.ACLOperation]string{
	kmsg.ACLOperationAll: "All", kmsg.ACLOperationRead: "Read", kmsg.ACLOperationWrite: "Write", kmsg.ACLOperationCreate: "Create",
	kmsg.ACLOperationDelete: "Delete", kmsg.ACLOperationAlter: "Alter", kmsg.ACLOperationDescribe: "Describe",
	kmsg.ACLOperationClusterAction: "ClusterAction", kmsg.ACLOperationDescribeConfigs: "DescribeConfigs", kmsg.ACLOperationAlterConfigs: "AlterConfigs",
	kmsg.ACLOperationIdempotentWrite: "IdempotentWrite", kmsg.ACLOperationCreateTokens: "CreateTokens", kmsg.ACLOperationDescribeTokens: "DescribeTokens",
}

var permissionNames = map[kmsg.ACLPermissionType]string{kmsg.ACLPermissionTypeAllow: "Allow", kmsg.ACLPermissionTypeDeny: "Deny"}

// Paths are the znodes that have to exist before lists can be kept.
func Paths() []string {
	paths := []string{LiteralChanges, PrefixedChanges}
	for _, name := range types {
		paths = append(paths, Literal+"/"+name, Prefixed+"/"+name)
	}
	return paths
}

// TypesBelow returns the parents of all lists with the type and pattern of those below.
func TypesBelow() map[string]Resource {
	parents := map[string]Resource{}
	for kind, name := range types {
		parents[Literal+"/"+name] = Resource{Type: kind, Pattern: kmsg.ACLResourcePatternTypeLiteral}
		parents[Prefixed+"/"+name] = Resource{Type: kind, Pattern: kmsg.ACLResourcePatternTypePrefixed}
	}
	return parents
}

// Path is the znode of a list.
func (on Resource) Path() string {
	if on.Pattern == kmsg.ACLResourcePatternTypePrefixed {
		return Prefixed + "/" + types[on.Type] + "/" + on.Name
	}
	return Literal + "/" + types[on.Type] + "/" + on.Name
}

// Notice is the sequential znode that tells brokers of a changed list: its path and data.
func (on Resource) Notice() (path string, data []byte) {
	if on.Pattern == kmsg.ACLResourcePatternTypePrefixed {
		data, _ := json.Marshal(extendedChange{1, changeTypes[on.Type], on.Name, "PREFIXED"})
		return PrefixedChanges + changePrefix, data
	}
	return LiteralChanges + changePrefix, []byte(types[on.Type] + ":" + on.Name)
}

// extendedChange is a notification of a list of a prefixed resource.
type extendedChange struct {
	Version      int    `json:"version"`
	ResourceType string `json:"resourceType"`
	Name         string `json:"name"`
	PatternType  string `json:"patternType"`
}

// changeTypes are the names of resource types in extended notifications.
var changeTypes = map[kmsg.ACLResourceType]string{
	kmsg.ACLResourceTypeTopic: "TOPIC", kmsg.ACLResourceTypeGroup: "GROUP", kmsg.ACLResourceTypeCluster: "CLUSTER",
	kmsg.ACLResourceTypeTransactionalId: "TRANSACTIONAL_ID", kmsg.ACLResourceTypeDelegationToken: "DELEGATION_TOKEN", kmsg.ACLResourceTypeUser: "USER",
}

// ParseNotice is the inverse of [Resource.Notice]'s data.
func ParseNotice(data []byte) (Resource, error) {
	if kind, name, ok := strings.Cut(string(data), ":"); ok && !strings.HasPrefix(kind, "{") {
		for t, spelled := range types {
			if strings.EqualFold(spelled, kind) && name != "" {
				return Resource{t, name, kmsg.ACLResourcePatternTypeLiteral}, nil
			}
		}
		return Resource{}, fmt.Errorf("%q names no resource", data)
	}
	var change extendedChange
	if err := json.Unmarshal(data, &change); err != nil {
		return Resource{}, fmt.Errorf("%q names no resource: %w", data, err)
	}
	for t, spelled := range changeTypes {
		if spelled == change.ResourceType && change.PatternType == "PREFIXED" && change.Name != "" {
			return Resource{t, change.Name, kmsg.ACLResourcePatternTypePrefixed}, nil
		}
	}
	return Resource{}, fmt.Errorf("%q names no resource", data)
}

// list is the data of a list's znode.
type list struct {
	Version int    `json:"version"`
	ACLs    []line `json:"acls"`
}

type line struct {
	Principal      string `json:"principal"`
	PermissionType string `json:"permissionType"`
	Operation      string `json:"operation"`
	Host           string `json:"host"`
}

// Encode turns entries into a znode's data.
func Encode(entries []Entry) []byte {
	l := list{Version: 1, ACLs: make([]line, 0, len(entries))}
	for _, e := range entries {
		l.ACLs = append(l.ACLs, line{e.Principal, permissionNames[e.Permission], operationNames[e.Operation], e.Host})
	}
	data, _ := json.Marshal(l) // of texts: cannot fail
	return data
}

// Decode reads a znode's data.
func Decode(data []byte) ([]Entry, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var l list
	if err := json.Unmarshal(data, &l); err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(l.ACLs))
	for _, a := range l.ACLs {
		e := Entry{Principal: a.Principal, Host: a.Host}
		var knownOperation, knownPermission bool
		e.Operation, knownOperation = keyOf(operationNames, a.Operation)
		e.Permission, knownPermission = keyOf(permissionNames, a.PermissionType)
		if !knownOperation || !knownPermission {
			return nil, fmt.Errorf("%s %s is not known", a.PermissionType, a.Operation)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func keyOf[K comparable](names map[K]string, name string) (K, bool) {
	for k, spelled := range names {
		if strings.EqualFold(spelled, name) {
			return k, true
		}
	}
	var none K
	return none, false
}
