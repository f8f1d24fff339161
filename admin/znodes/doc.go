// Package znodes reads, watches and changes the znodes of a ZooKeeper ensemble.
//
// A [Client] has one session and does one thing a call. A [Browser] keeps a part of the tree up to date: the screen says
// with a [Spec] what it shows, the browser reads that with watches, reads again what changed, and sends a [View]; the
// newest wins. Watches are one-shot and work with every version of ZooKeeper; all is read again with each new connection,
// so a missed event costs a delay and never a change. What is not shown is not read: a znode with 100,000 children costs
// their names and as many reads as there are rows.
//
// Every value that leaves the package is immutable. A Client and a Browser are safe for concurrent use.
package znodes

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// Stat is the metadata of a znode.
type Stat struct {
	Czxid    int64     `json:"czxid"` // of the creation
	Mzxid    int64     `json:"mzxid"` // of the last change of the data
	Pzxid    int64     `json:"pzxid"` // of the last change of the children
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	Version  int32     `json:"version"`  // changes of the data
	Cversion int32     `json:"cversion"` // of the children
	Aversion int32     `json:"aversion"` // of the ACL
	Owner    int64     `json:"-"`        // session of an ephemeral znode, 0 for others
	Length   int       `json:"data_length"`
	Children int       `json:"num_children"`
}

// Ephemeral says whether the znode ends with a session. The owner of a container or of a znode with a time to live is a
// number that no session has.
func (s Stat) Ephemeral() bool { return s.Owner != 0 && !s.Container() && !s.TTL() }

// Container says whether the znode is deleted when its last child is.
func (s Stat) Container() bool { return uint64(s.Owner) == 1<<63 }

// TTL says whether the znode has a time to live.
func (s Stat) TTL() bool { return uint64(s.Owner)>>56 == 0xff }

// ACL is one entry of an access control list.
type ACL struct {
	Scheme string `json:"scheme"` // world, auth, digest, ip, x509, sasl
	ID     string `json:"id"`
	Perms  string `json:"perms"` // letters of cdrwa: create, delete, read, write, admin
}

// Node is one znode.
type Node struct {
	Path     string
	Stat     Stat
	Data     []byte
	ACL      []ACL    // nil if it was not read
	Children []string // names, sorted; nil if they were not read
}

// MarshalJSON writes data as text, or as base64 where it is none.
func (n Node) MarshalJSON() ([]byte, error) {
	out := struct {
		Path     string   `json:"path"`
		Data     *string  `json:"data,omitempty"`
		Base64   []byte   `json:"data_base64,omitempty"`
		Owner    string   `json:"ephemeral_owner,omitempty"`
		Stat     Stat     `json:"stat"`
		ACL      []ACL    `json:"acl,omitempty"`
		Children []string `json:"children,omitempty"`
	}{Path: n.Path, Stat: n.Stat, ACL: n.ACL, Children: n.Children}
	if utf8.Valid(n.Data) {
		text := string(n.Data)
		out.Data = &text
	} else {
		out.Base64 = n.Data
	}
	if n.Stat.Ephemeral() {
		out.Owner = Session(n.Stat.Owner)
	}
	return json.Marshal(out)
}
