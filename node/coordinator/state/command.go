package state

import (
	"fmt"

	"kdrill/node/coordinator/proto"
)

// Kind says what a [Command] does.
type Kind byte

// The kinds of commands. The numbers are on disk.
const (
	Request       Kind = 1 // a client's write: Op and Body
	CreateSession Kind = 2 // Session, TimeoutMs, Password
	Attach        Kind = 3 // a client came back: Session, TimeoutMs, Password
	Expire        Kind = 4 // Session had no sign of life; only valid in Term
	Ruled         Kind = 5 // like Request, with Rules
	Reap          Kind = 6 // a container or znode with a time to live has reached its end: Path
	Settle        Kind = 7 // the leader's verdict on the reconfiguration Change: OK or Code
)

// Rules are settings of the node that took a request; they travel with it, so that all nodes apply it alike.
type Rules byte

// The rules.
const (
	AllowTTL    Rules = 1 << iota // znodes with a time to live may be made
	EnforceHard                   // hard limits of quotas are kept
	AllowReconfig
	StandaloneEnabled // an ensemble has at least two voters
	SkipACL           // nobody is asked for permissions
)

// Command is one entry of the replicated log.
type Command struct {
	Kind      Kind
	Time      int64 // Unix milliseconds where the command was made
	Session   int64
	Op        proto.Op
	Auth      []proto.ID // who the client is
	Body      []byte     // of the request, as the client sent it
	TimeoutMs int32
	Password  []byte
	Term      uint64
	Rules     Rules
	Path      string
	Change    int64
	Code      proto.Code
}

// Encode appends the command.
func (c *Command) Encode(e *proto.Encoder) {
	kind := c.Kind
	if kind == Request && c.Rules != 0 {
		kind = Ruled
	}
	e.Byte(byte(kind))
	e.Long(c.Time)
	e.Long(c.Session)
	if kind == Ruled {
		e.Byte(byte(c.Rules))
	}
	switch c.Kind {
	case Request:
		e.Int(int32(c.Op))
		proto.EncodeIDs(e, c.Auth)
		e.B = append(e.B, c.Body...)
	case CreateSession, Attach:
		e.Int(c.TimeoutMs)
		e.Buffer(c.Password)
	case Expire:
		e.Long(int64(c.Term))
	case Reap:
		e.String(c.Path)
	case Settle:
		e.Long(c.Change)
		e.Int(int32(c.Code))
	}
}

// DecodeCommand reads what Encode wrote. Body and Password are parts of b.
func DecodeCommand(b []byte) (Command, error) {
	d := proto.NewDecoder(b)
	c := Command{Kind: Kind(d.Byte()), Time: d.Long(), Session: d.Long()}
	if c.Kind == Ruled {
		c.Kind, c.Rules = Request, Rules(d.Byte())
	}
	switch c.Kind {
	case Request:
		c.Op, c.Auth, c.Body = proto.Op(d.Int()), proto.DecodeIDs(d), d.Rest()
	case CreateSession, Attach:
		c.TimeoutMs, c.Password = d.Int(), d.Buffer()
	case Expire:
		c.Term = uint64(d.Long())
	case Reap:
		c.Path = d.String()
	case Settle:
		c.Change, c.Code = d.Long(), proto.Code(d.Int())
	default:
		return c, fmt.Errorf("command of unknown kind %d", c.Kind)
	}
	return c, d.Err()
}
