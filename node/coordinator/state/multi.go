package state

import "kdrill/node/coordinator/proto"

// multi carries out all operations or none and appends their results. If one fails the reply is no error itself: it
// tells for each operation ok (before the failure), the error, or "runtime inconsistency" (after it).
//
//	success   {op, 0, 0} body | … | {-1, 1, -1}
//	failure   {-1, 0, code} int32 code | … | {-1, 1, -1}
func (q request) multi(d *proto.Decoder, e *proto.Encoder) proto.Code {
	start := len(e.B)
	count, failed, code := 0, -1, proto.OK
	for {
		var h proto.MultiHeader
		if h.Decode(d); d.Err() != nil {
			return proto.MarshallingError
		}
		if h.Done {
			break
		}
		if failed >= 0 {
			if !skip(h.Op, d) {
				return proto.MarshallingError
			}
			count++
			continue
		}
		switch h.Op {
		case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
			code = q.createOne(h.Op, d, e)
		case proto.OpDelete, proto.OpSetData, proto.OpCheck:
			proto.MultiHeader{Op: h.Op}.Encode(e)
			code = q.run(h.Op, d, e)
		default:
			return proto.Unimplemented // its body cannot be skipped
		}
		if code == proto.MarshallingError {
			return code
		}
		if code != proto.OK {
			failed = count
		}
		count++
	}
	if failed >= 0 {
		q.x.Rollback()
		e.B = e.B[:start]
		for i := range count {
			each := proto.OK
			switch {
			case i == failed:
				each = code
			case i > failed:
				each = proto.RuntimeInconsistency
			}
			proto.MultiHeader{Op: proto.OpError, Err: each}.Encode(e)
			e.Int(int32(each))
		}
	}
	proto.MultiEnd.Encode(e)
	return proto.OK
}

// createOne is a create of any kind within a multi, where the flags decide which kind it is and the result has a Stat
// only for containers and znodes with a time to live.
func (q request) createOne(op proto.Op, d *proto.Decoder, e *proto.Encoder) proto.Code {
	r := decodeCreate(op, d)
	if d.Err() != nil {
		return proto.MarshallingError
	}
	if op != proto.OpCreateTTL && (r.Flags == proto.FlagTTL || r.Flags == proto.FlagTTLSequential) {
		return proto.MarshallingError // it lacks the time
	}
	op, result := proto.OpCreate, proto.OpCreate
	switch r.Flags {
	case proto.FlagContainer:
		op, result = proto.OpCreateContainer, proto.OpCreate2
	case proto.FlagTTL, proto.FlagTTLSequential:
		op, result = proto.OpCreateTTL, proto.OpCreate2
	}
	proto.MultiHeader{Op: result}.Encode(e)
	return q.create(op, r, e)
}

// skip reads over an operation that is not carried out.
func skip(op proto.Op, d *proto.Decoder) bool {
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		decodeCreate(op, d)
	case proto.OpDelete, proto.OpCheck:
		var r proto.PathVersion
		r.Decode(d)
	case proto.OpSetData:
		var r proto.SetData
		r.Decode(d)
	default:
		return false
	}
	return d.Err() == nil
}
