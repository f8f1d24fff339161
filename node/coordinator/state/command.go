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
}

// Encode appends the command.
func (c *Command) Encode(e *proto.Encoder) {
	e.Byte(byte(c.Kind))
	e.Long(c.Time)
	e.Long(c.Session)
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
	}
}

// DecodeCommand reads what Encode wrote. Body and Password are parts of b.
func DecodeCommand(b []byte) (Command, error) {
	d := proto.NewDecoder(b)
	c := Command{Kind: Kind(d.Byte()), Time: d.Long(), Session: d.Long()}
	switch c.Kind {
	case Request:
		c.Op, c.Auth, c.Body = proto.Op(d.Int()), proto.DecodeIDs(d), d.Rest()
	case CreateSession, Attach:
		c.TimeoutMs, c.Password = d.Int(), d.Buffer()
	case Expire:
		c.Term = uint64(d.Long())
	default:
		return c, fmt.Errorf("command of unknown kind %d", c.Kind)
	}
	return c, d.Err()
}
