package proto

// Stat is the state of a znode as clients see it.
type Stat struct {
	Czxid, Mzxid, Ctime, Mtime  int64
	Version, Cversion, Aversion int32
	EphemeralOwner              int64
	DataLength, NumChildren     int32
	Pzxid                       int64
}

// Encode appends the 68 bytes of the record.
func (s *Stat) Encode(e *Encoder) {
	e.Long(s.Czxid)
	e.Long(s.Mzxid)
	e.Long(s.Ctime)
	e.Long(s.Mtime)
	e.Int(s.Version)
	e.Int(s.Cversion)
	e.Int(s.Aversion)
	e.Long(s.EphemeralOwner)
	e.Int(s.DataLength)
	e.Int(s.NumChildren)
	e.Long(s.Pzxid)
}

// Decode reads the record.
func (s *Stat) Decode(d *Decoder) {
	s.Czxid, s.Mzxid, s.Ctime, s.Mtime = d.Long(), d.Long(), d.Long(), d.Long()
	s.Version, s.Cversion, s.Aversion = d.Int(), d.Int(), d.Int()
	s.EphemeralOwner = d.Long()
	s.DataLength, s.NumChildren = d.Int(), d.Int()
	s.Pzxid = d.Long()
}

// ID is who somebody is by one scheme: {"world", "anyone"}, {"digest", "user:base64"}, {"ip", "127.0.0.1"}.
type ID struct{ Scheme, ID string }

// ACL grants permissions to an ID.
type ACL struct {
	Perms int32
	ID
}

// Anyone is the ACL world:anyone:cdrwa.
func Anyone() []ACL { return []ACL{{PermAll, ID{"world", "anyone"}}} }

// EncodeACL appends a vector of ACL.
func EncodeACL(e *Encoder, acl []ACL) {
	e.Int(int32(len(acl)))
	for _, a := range acl {
		e.Int(a.Perms)
		e.String(a.Scheme)
		e.String(a.ID.ID)
	}
}

// DecodeACL reads a vector of ACL.
func DecodeACL(d *Decoder) []ACL {
	acl := make([]ACL, d.Count(12))
	for i := range acl {
		acl[i] = ACL{d.Int(), ID{d.String(), d.String()}}
	}
	return acl
}

// EncodeIDs appends a vector of ID.
func EncodeIDs(e *Encoder, ids []ID) {
	e.Int(int32(len(ids)))
	for _, id := range ids {
		e.String(id.Scheme)
		e.String(id.ID)
	}
}

// DecodeIDs reads a vector of ID.
func DecodeIDs(d *Decoder) []ID {
	ids := make([]ID, d.Count(8))
	for i := range ids {
		ids[i] = ID{d.String(), d.String()}
	}
	return ids
}

// PasswordSize is the length of a session's password.
const PasswordSize = 16

// ConnectRequest is the first frame of a client. Clients older than 3.4 leave ReadOnly out, and expect it left out.
type ConnectRequest struct {
	Protocol     int32
	LastZxidSeen int64
	TimeoutMs    int32
	Session      int64
	Password     []byte
	ReadOnly     bool
	HasReadOnly  bool
}

// Decode reads the record.
func (r *ConnectRequest) Decode(d *Decoder) {
	r.Protocol, r.LastZxidSeen, r.TimeoutMs, r.Session, r.Password = d.Int(), d.Long(), d.Int(), d.Long(), d.Buffer()
	if r.HasReadOnly = len(d.Rest()) > 0; r.HasReadOnly {
		r.ReadOnly = d.Bool()
	}
}

// ConnectResponse answers a [ConnectRequest]; a TimeoutMs of 0 says that the session is no more.
type ConnectResponse struct {
	TimeoutMs   int32
	Session     int64
	Password    []byte
	HasReadOnly bool
	ReadOnly    bool
}

// Encode appends the record.
func (r *ConnectResponse) Encode(e *Encoder) {
	e.Int(0)
	e.Int(r.TimeoutMs)
	e.Long(r.Session)
	e.Buffer(r.Password)
	if r.HasReadOnly {
		e.Bool(r.ReadOnly)
	}
}

// Create is the body of create and create2.
type Create struct {
	Path  string
	Data  []byte
	ACL   []ACL
	Flags int32
}

// Decode reads the record.
func (r *Create) Decode(d *Decoder) {
	r.Path, r.Data, r.ACL, r.Flags = d.String(), d.Buffer(), DecodeACL(d), d.Int()
}

// Encode appends the record.
func (r *Create) Encode(e *Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	EncodeACL(e, r.ACL)
	e.Int(r.Flags)
}

// CreateTTL is the body of createTTL.
type CreateTTL struct {
	Create
	TTL int64 // milliseconds without a change
}

// Decode reads the record.
func (r *CreateTTL) Decode(d *Decoder) {
	r.Create.Decode(d)
	r.TTL = d.Long()
}

// Encode appends the record.
func (r *CreateTTL) Encode(e *Encoder) {
	r.Create.Encode(e)
	e.Long(r.TTL)
}

// PathVersion is the body of delete and check.
type PathVersion struct {
	Path    string
	Version int32
}

// Decode reads the record.
func (r *PathVersion) Decode(d *Decoder) { r.Path, r.Version = d.String(), d.Int() }

// Encode appends the record.
func (r *PathVersion) Encode(e *Encoder) {
	e.String(r.Path)
	e.Int(r.Version)
}

// SetData is the body of setData.
type SetData struct {
	Path    string
	Data    []byte
	Version int32
}

// Decode reads the record.
func (r *SetData) Decode(d *Decoder) { r.Path, r.Data, r.Version = d.String(), d.Buffer(), d.Int() }

// Encode appends the record.
func (r *SetData) Encode(e *Encoder) {
	e.String(r.Path)
	e.Buffer(r.Data)
	e.Int(r.Version)
}

// SetACL is the body of setACL.
type SetACL struct {
	Path    string
	ACL     []ACL
	Version int32
}

// Decode reads the record.
func (r *SetACL) Decode(d *Decoder) { r.Path, r.ACL, r.Version = d.String(), DecodeACL(d), d.Int() }

// MultiHeader precedes each operation and each result of a multi; the last one has Done.
type MultiHeader struct {
	Op   Op
	Done bool
	Err  Code
}

// Decode reads the record.
func (r *MultiHeader) Decode(d *Decoder) {
	r.Op, r.Done, r.Err = Op(d.Int()), d.Bool(), Code(d.Int())
}

// Encode appends the record.
func (r MultiHeader) Encode(e *Encoder) {
	e.Int(int32(r.Op))
	e.Bool(r.Done)
	e.Int(int32(r.Err))
}

// MultiEnd is the header after the last operation or result.
var MultiEnd = MultiHeader{OpError, true, -1}

// SetWatches is the body of setWatches and setWatches2: what a client watched before it reconnected, and the last zxid
// it saw. Only setWatches2 has the last two.
type SetWatches struct {
	RelativeZxid          int64
	Data, Exist, Child    []string
	Persistent, Recursive []string
}

// Decode reads the record.
func (r *SetWatches) Decode(d *Decoder) {
	r.RelativeZxid, r.Data, r.Exist, r.Child = d.Long(), d.Strings(), d.Strings(), d.Strings()
}

// Decode2 reads the record in the form of setWatches2.
func (r *SetWatches) Decode2(d *Decoder) {
	r.Decode(d)
	r.Persistent, r.Recursive = d.Strings(), d.Strings()
}

// Reconfig is the body of reconfig: server lines that join and the numbers of those that leave, or all Members; Version
// is the one that the client knows, -1 for any.
type Reconfig struct {
	Joining, Leaving, Members string
	Version                   int64
}

// Decode reads the record.
func (r *Reconfig) Decode(d *Decoder) {
	r.Joining, r.Leaving, r.Members, r.Version = d.String(), d.String(), d.String(), d.Long()
}

// PathKind is the body of addWatch (Kind is a mode), removeWatches and checkWatches.
type PathKind struct {
	Path string
	Kind int32
}

// Decode reads the record.
func (r *PathKind) Decode(d *Decoder) { r.Path, r.Kind = d.String(), d.Int() }

// Encode appends the record.
func (r *PathKind) Encode(e *Encoder) {
	e.String(r.Path)
	e.Int(r.Kind)
}

// Auth is the body of auth.
type Auth struct {
	Type   int32
	Scheme string
	Auth   []byte
}

// Decode reads the record.
func (r *Auth) Decode(d *Decoder) { r.Type, r.Scheme, r.Auth = d.Int(), d.String(), d.Buffer() }
