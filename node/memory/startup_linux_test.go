package memory

import (
	"reflect"
	"testing"
)

func TestOnlyWhatIsReadFromFilesIsForgotten(t *testing.T) {
	smaps := `00400000-00ffc000 r-xp 00000000 fe:00 1234   /usr/bin/kdrill
Size:              12272 kB
Anonymous:             0 kB
00ffc000-020be000 r--p 00bfc000 fe:00 1234   /usr/bin/kdrill
Anonymous:             0 kB
020be000-02205000 rw-p 01cbe000 fe:00 1234   /usr/bin/kdrill
Anonymous:             0 kB
7f7c00000000-7f7c00021000 r--p 00000000 fe:00 77   /usr/lib/libc.so.6
Anonymous:             8 kB
7f7c10000000-7f7c10021000 r--p 00000000 00:00 0
Anonymous:             0 kB
7ffc57bc9000-7ffc57bcb000 r-xp 00000000 00:00 0   [vdso]
Anonymous:             0 kB
`
	want := []region{{0x400000, 0xffc000}, {0xffc000, 0x20be000}}
	if got := unchanged([]byte(smaps)); !reflect.DeepEqual(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestTheProgramGoesOnAfterItHasForgottenItsStart(t *testing.T) {
	for range 3 {
		ForgetStart()
	}
	if percent(50, Room, 0) != 400 {
		t.Error("it computes something else")
	}
}
