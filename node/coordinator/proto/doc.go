// Package proto is the wire format of the ZooKeeper client protocol: jute's primitives and the records made of them.
//
// A connection reads length-prefixed frames and hands them to a [Decoder]; records read themselves from it and append
// themselves to an [Encoder]. Both are big endian. A string, buffer or vector starts with its int32 length, -1 for null.
//
//	request   int32 length | int32 xid | int32 op   | body
//	reply     int32 length | int32 xid | int64 zxid | int32 error | body (none if error is not 0)
//
// Nothing here is shared: a Decoder or Encoder belongs to one goroutine. Buffers that a Decoder returns are parts of
// the frame it reads.
package proto
