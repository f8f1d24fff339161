package group

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// Records of __consumer_offsets. A key begins with its version, which says what it is:
//
//	0, 1  OffsetCommitKey (group, topic, partition)  value OffsetCommitValue, version 3, or 1 with an expiry
//	2     GroupMetadataKey (group)                    value GroupMetadataValue, version 3
//
// A null value deletes. Other keys belong to newer kinds of groups and are passed over.
const (
	offsetKeyVersion   = 1
	offsetValueVersion = 3
	groupKeyVersion    = 2
	groupValueVersion  = 3
)

// A place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// A commit is how far a group got in one place.
type commit struct {
	offset      int64
	leaderEpoch int32 // -1: unknown
	metadata    string
	at          time.Time
	expires     time.Time // zero: by the broker's retention
	stored      int64     // offset in the log of what was committed with it since the partition was loaded
}

func offsetKey(group string, p place) []byte {
	k := kmsg.OffsetCommitKey{Version: offsetKeyVersion, Group: group, Topic: p.topic, Partition: p.partition}
	return k.AppendTo(nil)
}

func groupKey(group string) []byte {
	k := kmsg.GroupMetadataKey{Version: groupKeyVersion, Group: group}
	return k.AppendTo(nil)
}

func (c commit) record(group string, p place) log.Record {
	v := kmsg.NewOffsetCommitValue()
	v.Version, v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp = offsetValueVersion, c.offset, c.leaderEpoch, c.metadata, c.at.UnixMilli()
	if !c.expires.IsZero() {
		v.Version, v.ExpireTimestamp = 1, c.expires.UnixMilli()
	}
	return log.Record{Timestamp: c.at.UnixMilli(), Key: offsetKey(group, p), Value: v.AppendTo(nil)}
}

// record is the group as it is to be found by the next coordinator.
func (g *fsm) record(now time.Time) log.Record {
	v := kmsg.NewGroupMetadataValue()
	v.Version, v.ProtocolType, v.Generation = groupValueVersion, g.protocolType, g.generation
	v.CurrentStateTimestamp = g.since.UnixMilli()
	if len(g.members) > 0 {
		v.Protocol, v.Leader = &g.protocol, &g.leader
	}
	for _, m := range g.members {
		w := kmsg.NewGroupMetadataValueMember()
		w.MemberID, w.InstanceID, w.ClientID, w.ClientHost = m.id, optional(m.instance), m.clientID, m.clientHost
		w.RebalanceTimeoutMillis, w.SessionTimeoutMillis = int32(m.rebalanceTimeout.Milliseconds()), int32(m.sessionTimeout.Milliseconds())
		w.Subscription, w.Assignment = m.metadata(g.protocol), m.assignment
		v.Members = append(v.Members, w)
	}
	return log.Record{Timestamp: now.UnixMilli(), Key: groupKey(g.id), Value: v.AppendTo(nil)}
}

// restore makes the state machine what a record says; members get a new session.
func (g *fsm) restore(value []byte, now time.Time) error {
	var v kmsg.GroupMetadataValue
	if err := v.ReadFrom(value); err != nil {
		return err
	}
	g.protocolType, g.generation = v.ProtocolType, v.Generation
	if v.Protocol != nil {
		g.protocol = *v.Protocol
	}
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	for _, w := range v.Members {
		m := &member{
			id: w.MemberID, clientID: w.ClientID, clientHost: w.ClientHost, assignment: w.Assignment,
			sessionTimeout: time.Duration(w.SessionTimeoutMillis) * time.Millisecond, rebalanceTimeout: time.Duration(w.RebalanceTimeoutMillis) * time.Millisecond,
			protocols: []protocol{{g.protocol, w.Subscription}},
		}
		if w.RebalanceTimeoutMillis < 0 {
			m.rebalanceTimeout = m.sessionTimeout
		}
		if w.InstanceID != nil {
			m.instance = *w.InstanceID
			g.static[m.instance] = m.id
		}
		m.heard(now)
		g.members[m.id] = m
	}
	if len(g.members) > 0 {
		g.state = stable
	}
	if v.CurrentStateTimestamp >= 0 {
		g.since = time.UnixMilli(v.CurrentStateTimestamp)
	}
	return nil
}

// A memory is what reading a partition of __consumer_offsets has found so far.
type memory struct {
	groups    map[string][]byte // values of GroupMetadata
	commits   map[string]map[place]commit
	undecided map[int64]map[string]map[place]commit // by producer id
}

func newMemory() *memory {
	return &memory{groups: map[string][]byte{}, commits: map[string]map[place]commit{}, undecided: map[int64]map[string]map[place]commit{}}
}

// read takes in the batches of some raw bytes.
func (m *memory) read(raw []byte) error {
	for b, err := range log.Batches(raw) {
		if err != nil {
			return err
		}
		if b.Control() {
			if marker, ok := b.Marker(); ok {
				m.decide(marker)
			}
			continue
		}
		commits := m.commits
		if b.Transactional() {
			if m.undecided[b.ProducerID()] == nil {
				m.undecided[b.ProducerID()] = map[string]map[place]commit{}
			}
			commits = m.undecided[b.ProducerID()]
		}
		for r, err := range b.Records() {
			if err != nil {
				return err
			}
			if err := m.add(r, commits); err != nil {
				return fmt.Errorf("record at %d: %w", r.Offset, err)
			}
		}
	}
	return nil
}

// decide ends a producer's transaction.
func (m *memory) decide(marker log.Marker) {
	for id, commits := range m.undecided[marker.ProducerID] {
		if m.commits[id] == nil {
			m.commits[id] = map[place]commit{}
		}
		undecided{marker.ProducerID: commits}.decide(marker.ProducerID, marker.Committed, m.commits[id])
	}
	delete(m.undecided, marker.ProducerID)
}

// add takes in a record, offsets into commits.
func (m *memory) add(r log.Record, commits map[string]map[place]commit) error {
	if len(r.Key) < 2 {
		return fmt.Errorf("key of %d bytes", len(r.Key))
	}
	switch version := int16(binary.BigEndian.Uint16(r.Key)); {
	case version <= offsetKeyVersion:
		return addCommit(r, commits)
	case version == groupKeyVersion:
		var k kmsg.GroupMetadataKey
		if err := k.ReadFrom(r.Key); err != nil {
			return err
		}
		if r.Value == nil {
			delete(m.groups, k.Group)
		} else {
			m.groups[k.Group] = bytes.Clone(r.Value) // it outlives the buffer that was read into
		}
	}
	return nil
}

func addCommit(r log.Record, commits map[string]map[place]commit) error {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(r.Key); err != nil {
		return err
	}
	p := place{k.Topic, k.Partition}
	if r.Value == nil {
		delete(commits[k.Group], p)
		return nil
	}
	var v kmsg.OffsetCommitValue
	if err := v.ReadFrom(r.Value); err != nil {
		return err
	}
	c := commit{offset: v.Offset, leaderEpoch: v.LeaderEpoch, metadata: v.Metadata, at: time.UnixMilli(v.CommitTimestamp)}
	if v.Version < 3 {
		c.leaderEpoch = -1
	}
	if v.Version == 1 && v.ExpireTimestamp > 0 {
		c.expires = time.UnixMilli(v.ExpireTimestamp)
	}
	if commits[k.Group] == nil {
		commits[k.Group] = map[place]commit{}
	}
	commits[k.Group][p] = c
	return nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
