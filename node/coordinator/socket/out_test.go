package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// pair is a connection of the system's, and its other side.
func pair(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	here, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { here.Close(); there.Close() })
	return here, there
}

func put(o *Out, text string) int {
	return o.Put(func(b []byte) []byte { return append(b, text...) })
}

// Whatever the connection is, all that is put arrives in order, also if the other side reads late, and then the end.
func TestEverythingArrivesInOrder(t *testing.T) {
	for name, pair := range map[string]func(*testing.T) (net.Conn, net.Conn){
		"tcp": pair, "in memory": func(*testing.T) (net.Conn, net.Conn) { return net.Pipe() },
	} {
		t.Run(name, func(t *testing.T) {
			here, there := pair(t)
			o := NewOut(here, time.Minute)
			var want bytes.Buffer
			for i := range 500 {
				part := string(bytes.Repeat([]byte{byte(i)}, i*50)) // more than the system holds
				put(o, part)
				want.WriteString(part)
				if i%3 == 0 {
					o.Flush()
				}
			}
			got := make(chan []byte)
			go func() {
				b, _ := io.ReadAll(there)
				got <- b
			}()
			o.Finish()
			if put(o, "late") != 0 {
				t.Error("takes something after the end is due")
			}
			if b := <-got; !bytes.Equal(b, want.Bytes()) {
				t.Errorf("%d bytes arrived, %d were put", len(b), want.Len())
			}
			<-o.Ended()
			if o.Err() != io.EOF {
				t.Error(o.Err())
			}
		})
	}
}

func TestNothingGoesOutBeforeItIsFlushed(t *testing.T) {
	here, there := pair(t)
	o := NewOut(here, time.Minute)
	if n := put(o, "one") + put(o, "two"); n != 3+6 {
		t.Error(n)
	}
	o.Flush()
	b := make([]byte, 10)
	if n, err := there.Read(b); err != nil || string(b[:n]) != "onetwo" {
		t.Errorf("%q, %v", b[:n], err)
	}
	o.Close()
	if put(o, "x") != 0 || !errors.Is(o.Err(), net.ErrClosed) {
		t.Error("not closed:", o.Err())
	}
}

// A side that reads nothing must not be waited for; it loses the connection.
func TestWhoTakesNothingIsGivenUp(t *testing.T) {
	here, _ := pair(t)
	o := NewOut(here, time.Millisecond)
	put(o, string(make([]byte, 32<<20)))
	o.Flush()
	<-o.Ended()
	var timeout net.Error
	if !errors.As(o.Err(), &timeout) || !timeout.Timeout() {
		t.Error(o.Err())
	}
}
