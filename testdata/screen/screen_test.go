package screen

import (
	"fmt"
	"testing"
)

func TestAWordThatCameInPiecesIsSeen(t *testing.T) {
	s := New(20, 3)
	for _, sent := range []string{"\x1b[?25l\x1b[2J\x1b[H connecting", "\x1b[1;9Hed\x1b[K", "\x1b[c\x1b[6n"} { // it asks, too, and gets no answer
		more := s.More()
		fmt.Fprint(s, sent)
		<-more
	}
	for text, want := range map[string]bool{"connected": true, "connecting": true, "connectednting": false} {
		if s.Shows(text) != want {
			t.Errorf("%q is shown: %v, on\n%s", text, !want, s)
		}
	}
}
