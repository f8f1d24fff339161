package ensemble

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
)

// What three nodes of Apache ZooKeeper 3.8.0 answered about two sessions.
const (
	followerCons = " /127.0.0.1:44020[1](queued=0,recved=2,sent=2,sid=0x100000978bb0000,lop=CREA,est=1795620519654,to=6000,lcxid=0x1,lzxid=0x200000003,lresp=627632,llat=36,minlat=0,avglat=51,maxlat=66)\n" +
		" /127.0.0.1:44046[0](queued=0,recved=1,sent=0)\n\n"
	ephemeralDump = "ephemeral nodes dump:\nSessions with Ephemerals (2):\n0x200000979990000:\n\t/eph2\n0x100000978bb0000:\n\t/eph\n" +
		"Connections dump:\nConnections Sets (1)/(2):\n2 expire at Wed Nov 25 15:28:52 UTC 2026:\n\tip: /127.0.0.1:44052 sessionId: 0x0\n\tip: /127.0.0.1:44020 sessionId: 0x100000978bb0000\n"
	followerDump = "SessionTracker dump:\nGlobal Sessions(2):\n0x100000978bb0000\t6000ms\n0x200000979990000\t12000ms\n" + ephemeralDump
	leaderDump   = "SessionTracker dump:\nSession Sets (2)/(2):\n1 expire at Wed Nov 25 15:28:46 UTC 2026:\n\t0x100000978bb0000\n" +
		"1 expire at Wed Nov 25 15:28:52 UTC 2026:\n\t0x200000979990000\n" + ephemeralDump
	adminConnectionsJSON = `{"connections":[{"remote_socket_address":"127.0.0.1:44020","interest_ops":1,"outstanding_requests":0,"packets_received":2,"packets_sent":2,"session_id":72057634718154752,"session_timeout":6000,"last_response_time":627632}],"secure_connections":[],"command":"connections","error":null}`
	adminDumpJSON        = `{"expiry_time_to_session_ids":{"634000":[],"638000":[72057634718154752],"642000":[144115228770631680]},"session_id_to_ephemeral_paths":{"144115228770631680":["/eph2"],"72057634718154752":["/eph"]},"command":"dump","error":null}`
)

const (
	one = int64(0x100000978bb0000)
	two = int64(0x200000979990000)
)

var connected = []Connection{{Client: "127.0.0.1:44020", Session: one, Timeout: 6 * time.Second, Received: 2}}

func TestConnections(t *testing.T) {
	want := append(connected[:1:1], Connection{Client: "127.0.0.1:44046", Received: 1})
	if got := ParseConnections(followerCons); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	v6 := ParseConnections(" /[0:0:0:0:0:0:0:1]:5000[1](queued=3,recved=9,sent=2,sid=0xff00000000000001,to=4000)\n")
	negative := uint64(0xff00000000000001)
	if want := []Connection{{Client: "[0:0:0:0:0:0:0:1]:5000", Session: int64(negative), Timeout: 4 * time.Second, Received: 9, Queued: 3}}; !reflect.DeepEqual(v6, want) {
		t.Errorf("got %+v", v6)
	}
}

func TestDumps(t *testing.T) {
	ephemerals := map[int64][]string{one: {"/eph"}, two: {"/eph2"}}
	for name, c := range map[string]struct {
		text     string
		sessions map[int64]time.Duration
	}{
		"follower": {followerDump, map[int64]time.Duration{one: 6 * time.Second, two: 12 * time.Second}},
		"leader":   {leaderDump, map[int64]time.Duration{one: 0, two: 0}},
	} {
		if got := ParseDump(c.text); !reflect.DeepEqual(got, Dump{c.sessions, ephemerals}) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestMonitor(t *testing.T) {
	s, err := ParseMonitor("zk_version\t3.8.0-x, built on 2024-12-29 17:54 UTC\nzk_server_state\tleader\nzk_avg_latency\t0.25\nzk_max_latency\t7\nzk_synced_followers\t2\nzk_learners\t2\nzk_watch_count\t14\nzk_ephemerals_count\t3\nzk_uptime\t22789\n")
	if err != nil || s.Synced != 2 || s.Learners != 2 || s.Watches != 14 || s.LatencyAvg != 0.25 || s.LatencyMax != 7 || s.Uptime != 22789*time.Millisecond {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = ParseMonitor("zk_version\t3.5.5\nzk_server_state\tleader\nzk_followers\t4\nzk_synced_followers\t4\n")
	if err != nil || s.Learners != 4 || s.Watches != -1 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := ParseMonitor("This ZooKeeper instance is not currently serving requests\n"); !errors.Is(err, ErrNoQuorum) {
		t.Error(err)
	}
}

// server answers four-letter words; those it has no answer for are not in its whitelist.
func server(t *testing.T, answers map[string]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				word := make([]byte, 4)
				if _, err := io.ReadFull(conn, word); err != nil {
					return
				}
				text, ok := answers[string(word)]
				if !ok {
					text = string(word) + " is not executed because it is not in the whitelist.\n"
				}
				_, _ = io.WriteString(conn, text)
			}()
		}
	}()
	return l.Addr().String()
}

// TestWhatAServerDoesNotAllowItsAdminServerTells is a server that allows nothing, or srvr only, with and without an admin
// server of its own.
func TestWhatAServerDoesNotAllowItsAdminServerTells(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	address := server(t, map[string]string{"srvr": apache38})
	_, port, _ := net.SplitHostPort(address)
	admin := func(clientPort string) *Prober {
		http := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, map[string]string{
				"/commands/configuration": `{"client_port":` + clientPort + `,"command":"configuration","error":null}`,
				"/commands/connections":   adminConnectionsJSON,
				"/commands/dump":          adminDumpJSON,
				"/commands/monitor":       `{"server_state":"leader","version":"3.8.0-x","synced_followers":2,"learners":2,"watch_count":4,"command":"monitor","error":null}`,
				"/commands/stats":         `{"server_stats":{"last_processed_zxid":4294967304},"command":"stats","error":null}`,
			}[r.URL.Path])
		}))
		t.Cleanup(http.Close)
		p := NewProber()
		p.AdminPort = strings.TrimPrefix(http.URL, "http://127.0.0.1:")
		return p
	}

	mine := admin(port)
	list, err := mine.Connections(ctx, address)
	if err != nil || !reflect.DeepEqual(list, connected) {
		t.Errorf("%+v, %v", list, err)
	}
	dump, err := mine.Dump(ctx, address)
	if want := (Dump{map[int64]time.Duration{one: 0, two: 0}, map[int64][]string{one: {"/eph"}, two: {"/eph2"}}}); err != nil || !reflect.DeepEqual(dump, want) {
		t.Errorf("%+v, %v", dump, err)
	}
	s, err := mine.Server(ctx, address, true)
	if err != nil || s.Synced != 2 || s.Connections != 4 || s.LatencyMax != 12 {
		t.Errorf("%+v, %v", s, err)
	}
	mute := server(t, nil)
	_, port, _ = net.SplitHostPort(mute)
	s, err = admin(port).Server(ctx, mute, true)
	if err != nil || s.Role != "leader" || s.Zxid != 4294967304 {
		t.Errorf("%+v, %v", s, err)
	}

	other := admin("1") // of another server on the same host
	for what, ask := range map[string]func() error{
		"cons": func() error { _, err := other.Connections(ctx, address); return err },
		"dump": func() error { _, err := other.Dump(ctx, address); return err },
		"mntr": func() error {
			s, err := other.Server(ctx, address, true)
			if s.Role != "leader" || s.Synced != -1 {
				t.Errorf("srvr says %+v", s)
			}
			return err
		},
		"srvr": func() error { _, err := other.Server(ctx, mute, false); return err },
	} {
		refused, ok := errors.AsType[*NotAllowedError](ask())
		if !ok || refused.Word != what || !strings.Contains(refused.Error(), "4lw.commands.whitelist") {
			t.Errorf("%s: %v", what, refused)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(followerCons)
	f.Add(followerDump)
	f.Add(leaderDump)
	f.Add("zk_server_state\tleader\nzk_uptime\t-9\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range ParseConnections(text) {
			if c.Client == "" || c.Timeout < 0 {
				t.Errorf("%+v", c)
			}
		}
		d := ParseDump(text)
		if _, none := d.Sessions[0]; none {
			t.Error("a session 0")
		}
		_, _ = ParseMonitor(text)
	})
}
