package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A protocol is a way of assigning partitions that a member supports, with what it says about itself.
type protocol struct {
	name     string
	metadata []byte
}

// A joined is the answer to JoinGroup, a synced that to SyncGroup.
type (
	joined struct {
		err            error
		memberID       string
		leader         string
		generation     int32
		protocolType   string
		protocol       string
		skipAssignment bool
		members        []kmsg.JoinGroupResponseMember
	}
	synced struct {
		err          error
		assignment   []byte
		protocolType string
		protocol     string
	}
)

// A member is one consumer. The channels hold one answer, so that giving it never blocks; they are nil when nobody waits.
type member struct {
	id               string
	instance         string // of a static member, empty otherwise
	clientID         string
	clientHost       string
	sessionTimeout   time.Duration
	rebalanceTimeout time.Duration
	protocols        []protocol // in order of preference
	assignment       []byte
	expires          time.Time // end of its session unless it is heard of
	join             chan<- joined
	sync             chan<- synced
}

func (m *member) supports(name string) bool {
	return slices.ContainsFunc(m.protocols, func(p protocol) bool { return p.name == name })
}

func (m *member) metadata(name string) []byte {
	for _, p := range m.protocols {
		if p.name == name {
			return p.metadata
		}
	}
	return nil
}

// same reports whether a join would change nothing about the member.
func (m *member) same(protocols []protocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b protocol) bool {
		return a.name == b.name && bytes.Equal(a.metadata, b.metadata)
	})
}

// heard restarts the session.
func (m *member) heard(now time.Time) { m.expires = now.Add(m.sessionTimeout) }

// waiting members do not expire: they wait for us.
func (m *member) waiting() bool { return m.join != nil || m.sync != nil }

func (m *member) answerJoin(j joined) {
	if m.join != nil {
		j.memberID = m.id
		m.join <- j
		m.join = nil
	}
}

func (m *member) answerSync(s synced) {
	if m.sync != nil {
		m.sync <- s
		m.sync = nil
	}
}
