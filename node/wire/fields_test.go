package wire

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fill puts something into every field of a value, arrays of up to three elements included.
func fill(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.Pointer:
		if r.IntN(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), r)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			switch f := v.Type().Field(i); {
			case f.Name == "UnknownTags":
				if r.IntN(3) == 0 {
					tags := v.Field(i).Addr().Interface().(*kmsg.Tags)
					tags.Set(9, []byte("unknown"))
				}
			case f.Name != "Version" && f.IsExported():
				fill(v.Field(i), r)
			}
		}
	case reflect.Slice:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), r)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), r)
		}
	case reflect.String:
		v.SetString([]string{"", "a", "some text"}[r.IntN(3)])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(r.Uint64())
	case reflect.Float64:
		v.SetFloat(r.Float64())
	}
}

func TestEveryRequestFitsItsFrame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, a := range kafka39() {
		for version := a.Min; version <= a.Max; version++ {
			for range 50 {
				req := kmsg.RequestForKey(a.Key)
				req.SetVersion(version)
				fill(reflect.ValueOf(req).Elem(), r)
				body := req.AppendTo(nil)
				if _, ok := layouts()[a.Key]; !ok && req.IsFlexible() {
					t.Fatalf("%s v%d is flexible and not described", kmsg.NameForKey(a.Key), version)
				}
				if !req.IsFlexible() {
					continue
				}
				if err := fits(a.Key, version, body); err != nil {
					t.Fatalf("%v: %+v", err, req)
				}
				w, root := walk{rest: body, version: version}, layouts()[a.Key]
				if w.one(&root); w.over || len(w.rest) > 0 {
					t.Fatalf("%s v%d: %d of %d bytes are left over: %+v", kmsg.NameForKey(a.Key), version, len(w.rest), len(body), req)
				}
				if err := fits(a.Key, version, body[:len(body)-1]); err == nil {
					t.Fatalf("%s v%d fits into less", kmsg.NameForKey(a.Key), version)
				}
			}
		}
	}
}

func TestCountsBeyondTheFrameAreMalformed(t *testing.T) {
	many := []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // 2^32-1
	for name, body := range map[string][]byte{
		"tags":                        append([]byte{0, 0, 0}, many...),
		"topics":                      many,
		"a name":                      append([]byte{2}, many...),
		"tags of a topic":             append(append([]byte{2}, make([]byte, 17)...), many...),
		"tags of a tag that is known": append([]byte{1, 0}, many...),
	} {
		if _, err := readBody(header{Key: 3, Version: 12}, append([]byte{0}, body...)); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	// A tag that is known has tags of its own: Fetch, tag 1, the state of a replica.
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version = 15
	body := fetch.AppendTo(nil)
	body = append(body[:len(body)-1], 1, 1, byte(12+len(many)))
	body = append(append(body, make([]byte, 12)...), many...)
	if _, err := readBody(header{Key: 1, Version: 15}, append([]byte{0}, body...)); err == nil {
		t.Error("tags within a tag: read")
	}
}

// What is decoded at all was found to fit before, so that decoding takes no longer than the frame is long.
func FuzzFits(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, a := range kafka39() {
		for version := a.Min; version <= a.Max; version++ {
			req := kmsg.RequestForKey(a.Key)
			req.SetVersion(version)
			fill(reflect.ValueOf(req).Elem(), r)
			f.Add(a.Key, version, req.AppendTo(nil))
		}
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		req := kmsg.RequestForKey(key)
		if req == nil || !kafka39().Has(key, version) {
			return
		}
		req.SetVersion(version)
		if !req.IsFlexible() || fits(key, version, body) != nil {
			return
		}
		if err := req.ReadFrom(body); err != nil {
			t.Skip() // other rules, such as for values of enums
		}
		if err := fits(key, version, req.AppendTo(nil)); err != nil {
			t.Error(err)
		}
	})
}
