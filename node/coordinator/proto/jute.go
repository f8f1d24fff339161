package proto

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed is what a [Decoder] reports for a frame that ends early or holds an impossible length.
var ErrMalformed = errors.New("malformed record")

// Encoder appends jute values to B.
type Encoder struct{ B []byte }

// Byte appends one byte.
func (e *Encoder) Byte(v byte) { e.B = append(e.B, v) }

// Int appends an int32.
func (e *Encoder) Int(v int32) { e.B = binary.BigEndian.AppendUint32(e.B, uint32(v)) }

// Long appends an int64.
func (e *Encoder) Long(v int64) { e.B = binary.BigEndian.AppendUint64(e.B, uint64(v)) }

// Bool appends one byte, 0 or 1.
func (e *Encoder) Bool(v bool) {
	if v {
		e.B = append(e.B, 1)
		return
	}
	e.B = append(e.B, 0)
}

// Buffer appends a byte buffer; nil is null.
func (e *Encoder) Buffer(v []byte) {
	if v == nil {
		e.Int(-1)
		return
	}
	e.Int(int32(len(v)))
	e.B = append(e.B, v...)
}

// String appends a string, never null.
func (e *Encoder) String(v string) {
	e.Int(int32(len(v)))
	e.B = append(e.B, v...)
}

// Strings appends a vector of strings.
func (e *Encoder) Strings(v []string) {
	e.Int(int32(len(v)))
	for _, s := range v {
		e.String(s)
	}
}

// Decoder takes jute values from a frame. After the first failure every value is zero and Err is not nil.
type Decoder struct {
	b   []byte
	err error
}

// NewDecoder reads from b, which it does not copy.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// Err is ErrMalformed once something could not be read.
func (d *Decoder) Err() error { return d.err }

// Rest is what has not been read yet.
func (d *Decoder) Rest() []byte { return d.b }

func (d *Decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b) {
		d.err, d.b = ErrMalformed, nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

// Int reads an int32.
func (d *Decoder) Int() int32 {
	if v := d.take(4); v != nil {
		return int32(binary.BigEndian.Uint32(v))
	}
	return 0
}

// Long reads an int64.
func (d *Decoder) Long() int64 {
	if v := d.take(8); v != nil {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

// Bool reads one byte; anything but 0 is true.
func (d *Decoder) Bool() bool { return d.Byte() != 0 }

// Buffer reads a byte buffer; null is nil, which differs from empty.
func (d *Decoder) Buffer() []byte {
	n := d.Int()
	if n == -1 || d.err != nil {
		return nil
	}
	v := d.take(int(n))
	if v == nil && d.err == nil {
		return []byte{}
	}
	return v
}

// String reads a string; null reads as "".
func (d *Decoder) String() string { return string(d.Buffer()) }

// Count reads the length of a vector whose elements take at least size bytes each; null counts 0.
func (d *Decoder) Count(size int) int {
	n := d.Int()
	if n == -1 || d.err != nil {
		return 0
	}
	if n < 0 || int(n) > len(d.b)/size {
		d.err, d.b = ErrMalformed, nil
		return 0
	}
	return int(n)
}

// Strings reads a vector of strings.
func (d *Decoder) Strings() []string {
	v := make([]string, d.Count(4))
	for i := range v {
		v[i] = d.String()
	}
	return v
}
