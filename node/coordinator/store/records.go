package store

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/raft/v3/raftpb"
)

// The kinds of records. Integers are unsigned varints.
const (
	recordEntry    = 1 // term | index | byte type | length | data
	recordState    = 2 // term | vote | commit
	recordSnapshot = 3 // index | term: a snapshot came from the leader, what stands before is void
)

var errRecord = errors.New("unreadable record")

// record is one of the three; exactly one field is set.
type record struct {
	entry    *raftpb.Entry
	state    *raftpb.HardState
	snapshot *mark
}

// mark is the position of a snapshot in the log.
type mark struct{ index, term uint64 }

func appendEntry(b []byte, e *raftpb.Entry) []byte {
	b = append(b, recordEntry)
	b = binary.AppendUvarint(b, e.GetTerm())
	b = binary.AppendUvarint(b, e.GetIndex())
	b = append(b, byte(e.GetType()))
	b = binary.AppendUvarint(b, uint64(len(e.GetData())))
	return append(b, e.GetData()...)
}

func appendState(b []byte, hs *raftpb.HardState) []byte {
	b = append(b, recordState)
	b = binary.AppendUvarint(b, hs.GetTerm())
	b = binary.AppendUvarint(b, hs.GetVote())
	return binary.AppendUvarint(b, hs.GetCommit())
}

func appendMark(b []byte, m mark) []byte {
	b = append(b, recordSnapshot)
	b = binary.AppendUvarint(b, m.index)
	return binary.AppendUvarint(b, m.term)
}

// reader takes records from a payload. Entries keep their own copy of the data.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// readRecords reads all records of a payload.
func readRecords(payload []byte) ([]record, error) {
	var records []record
	r := &reader{b: payload}
	for len(r.b) > 0 {
		kind := r.bytes(1)[0]
		switch kind {
		case recordEntry:
			term, index := r.uvarint(), r.uvarint()
			var kind raftpb.EntryType
			if b := r.bytes(1); b != nil {
				kind = raftpb.EntryType(b[0])
			}
			data := r.bytes(r.uvarint())
			e := &raftpb.Entry{Term: &term, Index: &index, Type: &kind}
			if len(data) > 0 {
				e.Data = append([]byte(nil), data...)
			}
			records = append(records, record{entry: e})
		case recordState:
			term, vote, commit := r.uvarint(), r.uvarint(), r.uvarint()
			records = append(records, record{state: &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}})
		case recordSnapshot:
			records = append(records, record{snapshot: &mark{r.uvarint(), r.uvarint()}})
		default:
			return nil, errRecord
		}
		if r.bad {
			return nil, errRecord
		}
	}
	return records, nil
}
