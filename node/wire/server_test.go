package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// handlerFunc lets a function be a Handler.
type handlerFunc func(context.Context, *Request) kmsg.Response

func (f handlerFunc) Serve(ctx context.Context, r *Request) kmsg.Response { return f(ctx, r) }

// echo answers every request with an empty response.
func echo(_ context.Context, r *Request) kmsg.Response { return r.Body.ResponseKind() }

// logged collects log lines.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serve starts a server on a loopback port for the length of the test.
func serve(t *testing.T, handler handlerFunc) (address string, log *logged) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log = new(logged)
	server := &Server{
		Handler: handler, Table: Versions(func(int16) bool { return true }), Listener: "PLAINTEXT", MaxRequestBytes: 1 << 20,
		Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := server.Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return listener.Addr().String(), log
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, frameHex string) {
	t.Helper()
	frame, err := hex.DecodeString(strings.ReplaceAll(frameHex, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
}

func TestApiVersionsFromTheFutureIsAnsweredAsVersionZero(t *testing.T) {
	address, _ := serve(t, echo)
	conn := dial(t, address)
	send(t, conn, "0000000b 0012 0063 00000007 ffff 00") // v99, then a body that nobody can know
	got, err := readFrame(conn, nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	const want = "00000007" + "0023" + "00000001" + "0012" + "0000" + "0004"
	if hex.EncodeToString(got) != want {
		t.Errorf("reply %x, want %s", got, want)
	}
	send(t, conn, "0000000a 0012 0000 00000008 ffff") // the connection goes on
	if got, err = readFrame(conn, nil, 1<<20); err != nil || len(got) != 4+2+4+62*6 {
		t.Errorf("second reply: %d bytes, %v", len(got), err)
	}
}

func TestApiVersionsRepliesHaveNoTagsInTheirHeader(t *testing.T) {
	address, _ := serve(t, echo)
	conn := dial(t, address)
	send(t, conn, "00000011 0012 0003 00000001 0001 61 00 02 61 02 62 00")
	got, err := readFrame(conn, nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if want := "00000001" + "0000" + "3f"; !strings.HasPrefix(hex.EncodeToString(got), want) { // compact array of 62
		t.Errorf("reply %x, want it to start with %s", got, want)
	}
}

func TestControlledShutdownZeroHasNoClientID(t *testing.T) {
	address, _ := serve(t, func(_ context.Context, r *Request) kmsg.Response {
		if id := r.Body.(*kmsg.ControlledShutdownRequest).BrokerID; id != 3 {
			t.Errorf("broker id %d, want 3", id)
		}
		return r.Body.ResponseKind()
	})
	conn := dial(t, address)
	send(t, conn, "0000000c 0007 0000 00000001 00000003")
	if got, err := readFrame(conn, nil, 1<<20); err != nil || len(got) != 10 {
		t.Errorf("reply %x, %v", got, err)
	}
}

func TestAMalformedFrameEndsItsConnectionOnly(t *testing.T) {
	address, log := serve(t, echo)
	bystander := dial(t, address)
	for name, frame := range map[string]string{
		"too large":           "7fffffff",
		"negative size":       "ffffffff",
		"no header":           "00000002 0003",
		"unknown key":         "0000000a 03e7 0000 00000001 ffff",
		"unsupported version": "0000000a 0003 0063 00000001 ffff",
		"cut client id":       "0000000a 0003 0000 00000001 7fff",
		"cut body":            "0000000e 0003 0000 00000001 ffff 7fffffff",
		"cut tags":            "0000000b 0003 0009 00000001 ffff 7f",
		"an http client":      hex.EncodeToString([]byte("GET / HTTP/1.1\r\n\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			before := strings.Count(log.String(), "malformed request")
			conn := dial(t, address)
			send(t, conn, frame)
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("%d bytes, %v: want the connection closed", n, err)
			}
			if lines := strings.Count(log.String(), "malformed request") - before; lines != 1 {
				t.Errorf("%d log lines, want 1", lines)
			}
		})
	}
	send(t, bystander, "0000000a 0012 0000 00000008 ffff")
	if _, err := readFrame(bystander, nil, 1<<20); err != nil {
		t.Errorf("another connection: %v", err)
	}
}

func TestAHandlerThatPanicsEndsItsConnectionOnly(t *testing.T) {
	address, log := serve(t, func(_ context.Context, r *Request) kmsg.Response {
		if r.ClientID == "bad" {
			panic("no such thing")
		}
		return r.Body.ResponseKind()
	})
	bad, err := Dial(t.Context(), address, "bad")
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	if _, err := bad.Request(t.Context(), kmsg.NewPtrListGroupsRequest()); err == nil {
		t.Error("a reply came")
	}
	good, err := Dial(t.Context(), address, "good")
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	if _, err := good.Request(t.Context(), kmsg.NewPtrListGroupsRequest()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "no such thing") {
		t.Errorf("log: %s", log)
	}
}

func TestAHandlerEndsAConnectionThatWantsNoAnswers(t *testing.T) {
	address, _ := serve(t, func(_ context.Context, r *Request) kmsg.Response {
		if r.ClientID == "bad" {
			r.HangUp(errors.New("records not taken"))
		}
		return nil
	})
	conn, err := Dial(t.Context(), address, "bad")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Request(t.Context(), kmsg.NewPtrListGroupsRequest()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("the connection is still there: %v", err)
	}
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	address, _ := serve(t, func(_ context.Context, r *Request) kmsg.Response {
		response := kmsg.NewPtrHeartbeatResponse()
		response.ErrorCode = int16(r.Body.(*kmsg.HeartbeatRequest).Generation)
		return response
	})
	client, err := Dial(t.Context(), address, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var calls sync.WaitGroup
	for i := range 200 {
		calls.Go(func() {
			request := kmsg.NewPtrHeartbeatRequest()
			request.SetVersion(int16(i % 5)) // flexible and not
			request.Generation = int32(i)
			response, err := client.Request(t.Context(), request)
			if err != nil {
				t.Error(err)
			} else if got := response.(*kmsg.HeartbeatResponse).ErrorCode; int(got) != i {
				t.Errorf("request %d got the reply to %d", i, got)
			}
		})
	}
	calls.Wait()
}

func TestACallGivenUpDoesNotDisturbTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		server := &Server{
			Table: Versions(func(int16) bool { return true }), MaxRequestBytes: 1 << 20, Log: slog.New(slog.DiscardHandler),
			Handler: handlerFunc(func(_ context.Context, r *Request) kmsg.Response {
				time.Sleep(time.Duration(r.Body.(*kmsg.HeartbeatRequest).Generation) * time.Second)
				return r.Body.ResponseKind()
			}),
		}
		go server.ServeConn(t.Context(), far)
		client := NewClient(near, "test")
		slow, quick := kmsg.NewPtrHeartbeatRequest(), kmsg.NewPtrHeartbeatRequest()
		slow.Generation = 10
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := client.Request(ctx, slow); err != context.DeadlineExceeded {
			t.Errorf("slow call: %v", err)
		}
		if _, err := client.Request(t.Context(), quick); err != nil {
			t.Errorf("next call: %v", err)
		}
		client.Close()
		if _, err := client.Request(t.Context(), quick); err == nil {
			t.Error("a closed connection answered")
		}
		synctest.Wait()
	})
}

func TestAPeerThatReadsNothingBlocksNobodyForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe() // unbuffered: the first write hangs
		defer far.Close()
		client := NewClient(near, "test")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := client.Request(ctx, kmsg.NewPtrHeartbeatRequest()); err == nil {
			t.Error("a reply came")
		}
		if client.Broken() == nil {
			t.Error("the connection counts as usable after half a frame")
		}
		client.Close()
	})
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		server := &Server{Handler: handlerFunc(echo), MaxRequestBytes: 1 << 20, MaxIdle: time.Minute, Log: slog.New(slog.DiscardHandler)}
		go server.ServeConn(t.Context(), far)
		start := time.Now()
		if _, err := near.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	for _, a := range Versions(func(int16) bool { return true }) {
		for v := a.Min; v <= a.Max; v++ {
			request := kmsg.RequestForKey(a.Key)
			request.SetVersion(v)
			f.Add(kmsg.NewRequestFormatter(kmsg.FormatterClientID("fuzz")).AppendRequest(nil, request, 1)[4:])
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, rest, err := readHeader(frame)
		if err != nil {
			return
		}
		body, err := readBody(h, rest)
		if err != nil || !Versions(func(int16) bool { return true }).Has(h.Key, h.Version) {
			return
		}
		again, err := readBody(h, skipHeaderTags(body, body.AppendTo(nil)))
		if err != nil {
			t.Fatalf("%s v%d cannot be read back: %v", kmsg.NameForKey(h.Key), h.Version, err)
		}
		if a, b := body.AppendTo(nil), again.AppendTo(nil); !bytes.Equal(a, b) {
			t.Errorf("%s v%d reads back differently:\n%x\n%x", kmsg.NameForKey(h.Key), h.Version, a, b)
		}
	})
}

// skipHeaderTags puts the header's tags, none, before a flexible body.
func skipHeaderTags(request kmsg.Request, body []byte) []byte {
	if request.IsFlexible() {
		return append([]byte{0}, body...)
	}
	return body
}

func FuzzResponse(f *testing.F) {
	f.Add(int16(3), int16(12), []byte{0, 0, 0, 0, 0, 1, 1})
	f.Add(int16(7), int16(3), binary.BigEndian.AppendUint32(nil, 1))
	f.Fuzz(func(_ *testing.T, key, version int16, frame []byte) {
		request := kmsg.RequestForKey(key)
		if request == nil || version < 0 || version > request.MaxVersion() {
			return
		}
		request.SetVersion(version)
		_, _ = readResponse(frame, request) // must return
	})
}
