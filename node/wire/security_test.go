package wire

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// knock lets in who says the word, with a header or without.
type knock struct {
	info *ConnInfo
	raw  bool
	in   bool
}

func (k *knock) Answer(req kmsg.Request) (kmsg.Response, error) {
	resp := req.ResponseKind()
	switch req := req.(type) {
	case *kmsg.SASLHandshakeRequest:
		k.raw = req.Version == 0
	case *kmsg.SASLAuthenticateRequest:
		answer, err := k.Token(req.SASLAuthBytes)
		if resp := resp.(*kmsg.SASLAuthenticateResponse); err != nil {
			resp.ErrorCode, resp.SASLAuthBytes = 58, []byte{}
		} else {
			resp.SASLAuthBytes = answer
		}
		return resp, err
	}
	return resp, nil
}

func (k *knock) Raw() bool { return k.raw }

func (k *knock) Token(token []byte) ([]byte, error) {
	if string(token) != "sesame" {
		return nil, errors.New("not the word")
	}
	k.raw, k.in, k.info.Principal = false, true, "User:ali"
	return []byte("open"), nil
}

func (k *knock) Admit() error {
	if !k.in {
		return errors.New("say the word first")
	}
	return nil
}

// guardedConn serves one connection that asks for the word, and returns its other end.
func guardedConn(t *testing.T, log io.Writer) net.Conn {
	near, far := net.Pipe()
	server := &Server{
		Table: Versions(func(int16) bool { return true }), MaxRequestBytes: 1 << 20, Log: slog.New(slog.NewTextHandler(log, nil)),
		Handler: handlerFunc(func(_ context.Context, r *Request) kmsg.Response {
			resp := kmsg.NewPtrDescribeClusterResponse()
			resp.ClusterID = r.Conn.Principal
			return resp
		}),
		Security: Security{SASL: func(info *ConnInfo) Authenticator { return &knock{info: info} }, FailureDelay: time.Minute, MaxReceive: 1000},
	}
	go server.ServeConn(t.Context(), far)
	t.Cleanup(func() { near.Close() })
	return near
}

func TestOnlyWhoAuthenticatedIsServed(t *testing.T) {
	ask := func(client *Client, req kmsg.Request, version int16) (kmsg.Response, error) {
		req.SetVersion(version)
		return client.Request(context.Background(), req)
	}
	t.Run("the word", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := NewClient(guardedConn(t, io.Discard), "test")
			defer client.Close()
			if _, err := ask(client, kmsg.NewPtrApiVersionsRequest(), 3); err != nil {
				t.Errorf("ApiVersions is for everybody: %v", err)
			}
			if _, err := ask(client, kmsg.NewPtrSASLHandshakeRequest(), 1); err != nil {
				t.Fatal(err)
			}
			if resp, err := ask(client, &kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte("sesame")}, 2); err != nil || string(resp.(*kmsg.SASLAuthenticateResponse).SASLAuthBytes) != "open" {
				t.Fatalf("%v %v", resp, err)
			}
			if resp, err := ask(client, kmsg.NewPtrDescribeClusterRequest(), 0); err != nil || resp.(*kmsg.DescribeClusterResponse).ClusterID != "User:ali" {
				t.Errorf("%v %v", resp, err)
			}
		})
	})
	t.Run("another word", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			log := new(logged)
			client := NewClient(guardedConn(t, log), "test")
			began := time.Now()
			resp, err := ask(client, &kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte("barley")}, 2)
			if err != nil || resp.(*kmsg.SASLAuthenticateResponse).ErrorCode != 58 || time.Since(began) != time.Minute {
				t.Errorf("%v %v after %v", resp, err, time.Since(began))
			}
			synctest.Wait()
			if client.Broken() == nil || !strings.Contains(log.String(), "not the word") {
				t.Errorf("connection %v, log %s", client.Broken(), log)
			}
		})
	})
	t.Run("no word", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := NewClient(guardedConn(t, io.Discard), "test")
			if resp, err := ask(client, kmsg.NewPtrDescribeClusterRequest(), 0); err == nil {
				t.Errorf("answered with %v", resp)
			}
			synctest.Wait()
		})
	})
	t.Run("too many words", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := NewClient(guardedConn(t, io.Discard), "test")
			if resp, err := ask(client, &kmsg.SASLAuthenticateRequest{SASLAuthBytes: make([]byte, 2000)}, 2); err == nil {
				t.Errorf("answered with %v", resp)
			}
			client.Close()
			synctest.Wait()
		})
	})
}

// TestTokensWithoutHeaders is what clients do after SaslHandshake version 0.
func TestTokensWithoutHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := guardedConn(t, io.Discard)
		client := kmsg.NewRequestFormatter()
		if _, err := conn.Write(client.AppendRequest(nil, kmsg.NewPtrSASLHandshakeRequest(), 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := readFrame(conn, nil, 1000); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(append([]byte{0, 0, 0, 6}, "sesame"...)); err != nil {
			t.Fatal(err)
		}
		if answer, err := readFrame(conn, nil, 1000); err != nil || string(answer) != "open" {
			t.Errorf("%q %v", answer, err)
		}
		if _, err := conn.Write(client.AppendRequest(nil, kmsg.NewPtrDescribeClusterRequest(), 2)); err != nil {
			t.Fatal(err)
		}
		if answer, err := readFrame(conn, nil, 1000); err != nil || !strings.Contains(string(answer), "User:ali") {
			t.Errorf("%q %v", answer, err)
		}
		conn.Close()
		synctest.Wait()
	})
}

func TestAThrottledConnectionIsAnsweredAndThenRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		server := &Server{
			Table: Versions(func(int16) bool { return true }), MaxRequestBytes: 1 << 20, Log: slog.New(slog.DiscardHandler),
			Handler: handlerFunc(func(_ context.Context, r *Request) kmsg.Response {
				r.Throttle = 5 * time.Second
				return r.Body.ResponseKind()
			}),
		}
		go server.ServeConn(t.Context(), far)
		client, began := NewClient(near, "test"), time.Now()
		for i := range 3 {
			if _, err := client.Request(t.Context(), kmsg.NewPtrHeartbeatRequest()); err != nil {
				t.Fatal(err)
			}
			if took, want := time.Since(began), time.Duration(i)*5*time.Second; took != want {
				t.Errorf("answer %d after %v, want %v", i, took, want)
			}
		}
		client.Close()
		time.Sleep(time.Minute) // the last rest
		synctest.Wait()
	})
}

func TestConnectionsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		log := new(logged)
		server := &Server{
			Log: slog.New(slog.NewTextHandler(log, nil)),
			Enter: func(context.Context, net.Conn) (Stay, time.Duration, error) {
				return nil, time.Second, errors.New("too many")
			},
		}
		began := time.Now()
		server.ServeConn(t.Context(), far)
		if _, err := near.Read(make([]byte, 1)); err == nil || time.Since(began) != time.Second || !strings.Contains(log.String(), "too many") {
			t.Errorf("%v after %v, log %s", err, time.Since(began), log)
		}
	})
}
