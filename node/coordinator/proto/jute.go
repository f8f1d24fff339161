package proto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// ErrMalformed is what a [Decoder] reports for a frame that ends early or holds an impossible length.
var ErrMalformed = errors.New("malformed record")

// piece is how much of a stream is in memory at a time, in bytes.
const piece = 64 << 10

// Encoder appends jute values to B.
type Encoder struct {
	B []byte

	out io.Writer // where B goes; nil if it stays
	err error
}

// NewWriter appends to a B that goes to w in pieces: see [Encoder.Pass].
func NewWriter(w io.Writer) *Encoder { return &Encoder{B: make([]byte, 0, 2*piece), out: w} }

// Pass is called between the records of a stream: B goes to the writer if it has become large.
func (e *Encoder) Pass() {
	if len(e.B) >= piece && e.out != nil {
		e.Flush()
	}
}

// Flush has B go to the writer. It returns the first error of the stream, after which nothing is written any more.
func (e *Encoder) Flush() error {
	if e.err == nil {
		_, e.err = e.out.Write(e.B)
	}
	e.B = e.B[:0]
	return e.err
}

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
	b    []byte
	more io.Reader // what follows b; nil if nothing does
	err  error
}

// NewDecoder reads from b, which it does not copy.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// NewReader reads from a stream, in pieces.
func NewReader(r io.Reader) *Decoder { return &Decoder{more: r} }

// fill makes b at least n bytes long, if so many follow. What b was a part of is not written to again.
func (d *Decoder) fill(n int) {
	next := bytes.NewBuffer(make([]byte, 0, piece+bytes.MinRead))
	next.Write(d.b)
	_, err := io.CopyN(next, d.more, int64(max(n, piece)-len(d.b))) // grows as the bytes arrive: a length may be wrong
	d.b = next.Bytes()
	if err != nil {
		d.more = nil
	}
	if err != nil && err != io.EOF {
		d.err = err
	}
}

// More says whether anything has not been read yet.
func (d *Decoder) More() bool {
	if len(d.b) == 0 && d.more != nil {
		d.fill(1)
	}
	return len(d.b) > 0
}

// Err is ErrMalformed once something could not be read.
func (d *Decoder) Err() error { return d.err }

// Rest is what has not been read yet of a frame.
func (d *Decoder) Rest() []byte { return d.b }

func (d *Decoder) take(n int) []byte {
	if n > len(d.b) && d.err == nil && d.more != nil {
		d.fill(n)
	}
	if d.err != nil || n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *Decoder) fail() {
	if d.err == nil {
		d.err = ErrMalformed
	}
	d.b, d.more = nil, nil
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
	if int(n) > len(d.b)/size && d.more != nil {
		d.fill(int(n) * size)
	}
	if n < 0 || int(n) > len(d.b)/size {
		d.fail()
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
