package ui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
)

// The screens of the ZooKeeper tab.
const (
	CoordinatorsScreen = "coordinators"
	ZnodesScreen       = "znodes"
	SessionsScreen     = "sessions"
)

// ZooKeeperKeys go from one screen of the ZooKeeper tab to the other two.
func ZooKeeperKeys(d Data, here string) []Key {
	none := NoZooKeeper(d)
	var keys []Key
	for _, k := range []struct{ key, screen, does, hint string }{
		{"m", CoordinatorsScreen, "coordinators: who leads, how far each is", "members"},
		{"b", ZnodesScreen, "browse znodes", "browse"},
		{"o", SessionsScreen, "sessions and who owns them", "sessions"},
	} {
		if k.screen == here {
			continue
		}
		not := ""
		if k.screen != CoordinatorsScreen {
			not = none
		}
		open := Wish(Open{Screen: k.screen})
		keys = append(keys, Key{Keys: k.key, Does: k.does, Hint: k.hint, Not: not, Move: true, Act: func() tea.Cmd { return open }})
	}
	return keys
}

// NoZooKeeper says in a sentence why there is no ZooKeeper to look at, empty if there is one.
func NoZooKeeper(d Data) string {
	switch s := d.Snapshot; {
	case s == nil:
		return ""
	case s.Mode == admin.ModeKRaft:
		return "This cluster has no ZooKeeper: it runs in KRaft mode and keeps its metadata in a topic that its controllers lead. Press m to see them."
	case len(s.Coordinators) > 0 || s.Problem != "":
		return ""
	case s.Mode == admin.ModeUnknown:
		return "It is not known yet whether this cluster has a ZooKeeper."
	}
	return "kdrill was not told where the ZooKeeper of this cluster is: start it with --zookeeper host:port."
}

// CoordinatorName names a coordinator by its address, as the list of nodes does.
func CoordinatorName(d Data, address string) string {
	if d.Status != nil {
		for _, n := range d.Status.Nodes {
			if n.Address == address {
				return n.Name
			}
		}
	}
	if d.Snapshot != nil {
		for i, c := range d.Snapshot.Coordinators {
			if c.Address == address {
				return fmt.Sprintf("coordinator-%d", i+1)
			}
		}
	}
	return address
}

// OwnerName names the owner of a session.
func OwnerName(s admin.Session) string {
	if s.Owner == admin.Own {
		return "this console"
	}
	return s.Owner
}
