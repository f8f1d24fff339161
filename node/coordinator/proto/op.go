package proto

import "fmt"

// Op is the type of a request.
type Op int32

// The operations of ZooKeeper 3.9.
const (
	OpNotify               Op = 0
	OpCreate               Op = 1
	OpDelete               Op = 2
	OpExists               Op = 3
	OpGetData              Op = 4
	OpSetData              Op = 5
	OpGetACL               Op = 6
	OpSetACL               Op = 7
	OpGetChildren          Op = 8
	OpSync                 Op = 9
	OpPing                 Op = 11
	OpGetChildren2         Op = 12
	OpCheck                Op = 13
	OpMulti                Op = 14
	OpCreate2              Op = 15
	OpReconfig             Op = 16
	OpCheckWatches         Op = 17
	OpRemoveWatches        Op = 18
	OpCreateContainer      Op = 19
	OpDeleteContainer      Op = 20
	OpCreateTTL            Op = 21
	OpMultiRead            Op = 22
	OpAuth                 Op = 100
	OpSetWatches           Op = 101
	OpSASL                 Op = 102
	OpGetEphemerals        Op = 103
	OpGetAllChildrenNumber Op = 104
	OpSetWatches2          Op = 105
	OpAddWatch             Op = 106
	OpWhoAmI               Op = 107
	OpCreateSession        Op = -10
	OpCloseSession         Op = -11
	OpError                Op = -1
)

// The xids that are not a client's own.
const (
	XidNotification int32 = -1
	XidPing         int32 = -2
	XidAuth         int32 = -4
	XidSetWatches   int32 = -8
)

// Code is the error of a reply.
type Code int32

// The errors that these nodes answer with.
const (
	OK                      Code = 0
	RuntimeInconsistency    Code = -2
	ConnectionLoss          Code = -4
	MarshallingError        Code = -5
	Unimplemented           Code = -6
	BadArguments            Code = -8
	NewConfigNoQuorum       Code = -13
	ReconfigInProgress      Code = -14
	NoNode                  Code = -101
	NoAuth                  Code = -102
	BadVersion              Code = -103
	NoChildrenForEphemerals Code = -108
	NodeExists              Code = -110
	NotEmpty                Code = -111
	SessionExpired          Code = -112
	InvalidACL              Code = -114
	AuthFailed              Code = -115
	SessionMoved            Code = -118
	NotReadOnly             Code = -119
	NoWatcher               Code = -121
	ReconfigDisabled        Code = -123
	QuotaExceeded           Code = -125
)

var codeNames = map[Code]string{
	OK: "ok", RuntimeInconsistency: "runtime inconsistency", ConnectionLoss: "connection loss",
	MarshallingError: "marshalling error", Unimplemented: "unimplemented", BadArguments: "bad arguments",
	NewConfigNoQuorum: "no quorum of the new members", ReconfigInProgress: "another reconfiguration is on its way",
	NoNode: "no node", NoAuth: "no auth", BadVersion: "bad version", NoChildrenForEphemerals: "no children for ephemerals",
	NodeExists: "node exists", NotEmpty: "not empty", SessionExpired: "session expired", InvalidACL: "invalid acl",
	AuthFailed: "auth failed", SessionMoved: "session moved",
	NotReadOnly: "not in read-only mode",
	NoWatcher:   "no watcher", ReconfigDisabled: "reconfig disabled", QuotaExceeded: "quota exceeded",
}

func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return name
	}
	return fmt.Sprintf("error %d", int32(c))
}

// EventType is what happened to a watched znode.
type EventType int32

// The events of watches.
const (
	NodeCreated         EventType = 1
	NodeDeleted         EventType = 2
	NodeDataChanged     EventType = 3
	NodeChildrenChanged EventType = 4
)

// StateConnected is the state that every notification carries (SyncConnected).
const StateConnected int32 = 3

// The flags of a create. From container on they are modes, not bits.
const (
	FlagEphemeral     int32 = 1
	FlagSequential    int32 = 2
	FlagContainer     int32 = 4
	FlagTTL           int32 = 5
	FlagTTLSequential int32 = 6
)

// The modes of addWatch.
const (
	WatchPersistent int32 = 0
	WatchRecursive  int32 = 1
)

// The kinds of watches that removeWatches and checkWatches speak of; the last two are those of ZooKeeper 3.9.
const (
	WatchedChildren   int32 = 1
	WatchedData       int32 = 2
	WatchedAny        int32 = 3
	WatchedPersistent int32 = 4
	WatchedRecursive  int32 = 5
)

// Permissions of an [ACL].
const (
	PermRead   int32 = 1
	PermWrite  int32 = 2
	PermCreate int32 = 4
	PermDelete int32 = 8
	PermAdmin  int32 = 16
	PermAll    int32 = 31
)
