package proto

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	create := Create{Path: "/a", Data: []byte("x"), ACL: Anyone(), Flags: 3}
	var e Encoder
	create.Encode(&e)
	var got Create
	d := NewDecoder(e.B)
	if got.Decode(d); d.Err() != nil || len(d.Rest()) > 0 || !cmp.Equal(create, got) {
		t.Errorf("%v %s", d.Err(), cmp.Diff(create, got))
	}
	stat := Stat{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	e = Encoder{}
	stat.Encode(&e)
	var back Stat
	if back.Decode(NewDecoder(e.B)); back != stat || len(e.B) != 68 {
		t.Errorf("%d bytes: %+v", len(e.B), back)
	}
}

func TestNullAndEmptyBuffersDiffer(t *testing.T) {
	for _, want := range [][]byte{nil, {}, {1}} {
		var e Encoder
		e.Buffer(want)
		if got := NewDecoder(e.B).Buffer(); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%#v came back as %#v", want, got)
		}
	}
}

func TestAClientWithoutReadOnlyIsNoticed(t *testing.T) {
	var e Encoder
	e.Int(0)
	e.Long(7)
	e.Int(4000)
	e.Long(9)
	e.Buffer(make([]byte, PasswordSize))
	for _, modern := range []bool{false, true} {
		if modern {
			e.Bool(true)
		}
		var r ConnectRequest
		d := NewDecoder(e.B)
		if r.Decode(d); d.Err() != nil || r.HasReadOnly != modern || r.ReadOnly != modern || r.Session != 9 || r.LastZxidSeen != 7 {
			t.Errorf("%+v %v", r, d.Err())
		}
	}
}

func TestAnImpossibleLengthIsMalformed(t *testing.T) {
	for name, read := range map[string]func(*Decoder){
		"buffer": func(d *Decoder) { d.Buffer() },
		"vector": func(d *Decoder) { d.Strings() },
		"acl":    func(d *Decoder) { DecodeACL(d) },
	} {
		for _, length := range []int32{-2, 5, 1 << 30} {
			var e Encoder
			e.Int(length)
			d := NewDecoder(e.B)
			if read(d); d.Err() == nil {
				t.Errorf("%s of length %d was read", name, length)
			}
		}
	}
}

func FuzzRecords(f *testing.F) {
	var e Encoder
	(&Create{Path: "/a", Data: []byte("x"), ACL: Anyone()}).Encode(&e)
	f.Add(e.B)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, decode := range []func(*Decoder){
			func(d *Decoder) { new(ConnectRequest).Decode(d) },
			func(d *Decoder) { new(PathVersion).Decode(d) },
			func(d *Decoder) { new(SetData).Decode(d) },
			func(d *Decoder) { new(SetACL).Decode(d) },
			func(d *Decoder) { new(SetWatches).Decode2(d) },
			func(d *Decoder) { new(CreateTTL).Decode(d) },
			func(d *Decoder) { new(PathKind).Decode(d) },
			func(d *Decoder) { new(Auth).Decode(d) },
			func(d *Decoder) { new(MultiHeader).Decode(d) },
			func(d *Decoder) { new(Stat).Decode(d) },
		} {
			decode(NewDecoder(b))
		}
		var r Create
		d := NewDecoder(b)
		if r.Decode(d); d.Err() != nil {
			return
		}
		var again Encoder
		r.Encode(&again)
		var back Create
		if back.Decode(NewDecoder(again.B)); !cmp.Equal(r, back) {
			t.Error(cmp.Diff(r, back))
		}
	})
}
