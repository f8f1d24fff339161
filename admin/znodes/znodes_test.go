package znodes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"kdrill/testdata/freeport"

	"github.com/go-zookeeper/zk"

	"kdrill/admin/ensemble"
	"kdrill/node/coordinator"
)

// serve runs one coordinator in this process and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	at := freeport.One(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "zoo.cfg")
	text := fmt.Sprintf("tickTime=500\ndataDir=%s\nclientPortAddress=127.0.0.1\nclientPort=%d\n", dir, at)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := coordinator.Run(ctx, config, io.Discard); err != nil && ctx.Err() == nil {
			t.Errorf("coordinator: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return fmt.Sprintf("127.0.0.1:%d", at)
}

func dial(t *testing.T, connect string) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := Dial(ctx, Config{Connect: connect})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// browse runs a browser and returns a function that waits for a view.
func browse(t *testing.T, c *Client, spec Spec) (b *Browser, until func(what string, holds func(*View) bool) *View) {
	t.Helper()
	b = c.Browse()
	b.Show(spec)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = b.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return b, func(what string, holds func(*View) bool) *View {
		t.Helper()
		limit := time.After(time.Minute)
		var last *View
		for {
			select {
			case v := <-b.Views():
				if last = v; holds(v) {
					return v
				}
			case <-limit:
				t.Fatalf("not within a minute: %s; last view %+v", what, last)
			}
		}
	}
}

// Znodes whose ACL names a user are there for who has the password, in single reads and in a browser.
func TestAZnodeOfAUserNeedsItsPassword(t *testing.T) {
	address := serve(t)
	as := func(text string) *Client {
		t.Helper()
		cfg := Config{Connect: address}
		if text != "" {
			credential, err := ensemble.ParseCredential(text)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Access.Auth = []ensemble.Credential{credential}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := Dial(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	alice := as("digest:alice:secret")
	if _, err := alice.session.Create("/hers", []byte("private"), 0, zk.DigestACL(zk.PermAll, "alice", "secret")); err != nil {
		t.Fatal(err)
	}
	for who, may := range map[string]bool{"digest:alice:secret": true, "digest:alice:guess": false, "digest:bob:secret": false, "": false} {
		c := as(who)
		n, err := c.Get(t.Context(), "/hers")
		if may != (err == nil) || may && string(n.Data) != "private" || !may && !strings.Contains(err.Error(), "does not permit it") {
			t.Errorf("%q reads %+v, %v", who, n, err)
		}
	}
	_, until := browse(t, as("digest:alice:secret"), Spec{Open: map[string]int{"/": 10}, Detail: "/hers"})
	until("a browser of hers shows it", func(v *View) bool { e := v.Entries["/hers"]; return e != nil && string(e.Data) == "private" })
}

func TestAZnodeIsMadeReadChangedAndDeleted(t *testing.T) {
	ctx := t.Context()
	c := dial(t, serve(t))
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.Create(ctx, "/a", []byte(`{"x":1}`), false))
	must(c.Create(ctx, "/a/10", nil, false))
	must(c.Create(ctx, "/a/9", []byte{0xff, 0}, false))
	if at, err := c.Create(ctx, "/a/n-", nil, true); err != nil || !strings.HasPrefix(at, "/a/n-0000") {
		t.Errorf("%s, %v", at, err)
	}
	n, err := c.Get(ctx, "/a")
	if err != nil || string(n.Data) != `{"x":1}` || n.Stat.Version != 0 || n.Stat.Children != 3 {
		t.Errorf("%+v, %v", n, err)
	}
	if len(n.ACL) != 1 || n.ACL[0] != (ACL{"world", "anyone", "cdrwa"}) || n.Children[0] != "9" || n.Children[1] != "10" {
		t.Errorf("%+v", n)
	}
	if stat, err := c.Set(ctx, "/a", []byte("2"), 0); err != nil || stat.Version != 1 {
		t.Errorf("%+v, %v", stat, err)
	}
	for what, err := range map[string]error{
		"/a was changed since it was read: look at it again": func() error { _, err := c.Set(ctx, "/a", nil, 0); return err }(),
		"there is no znode /b":                               func() error { _, err := c.Get(ctx, "/b"); return err }(),
		"there is a znode /a already":                        func() error { _, err := c.Create(ctx, "/a", nil, false); return err }(),
		"/a has children: delete them too with --recursive":  c.Delete(ctx, "/a", AnyVersion),
		"there is no znode /x to put y into: create it first": func() error {
			_, err := c.Create(ctx, "/x/y", nil, false)
			return err
		}(),
	} {
		if err == nil || err.Error() != what {
			t.Errorf("%v, want %s", err, what)
		}
	}
	nodes, total, err := c.List(ctx, "/a", 2)
	if err != nil || total != 3 || len(nodes) != 2 || nodes[0].Path != "/a/9" {
		t.Errorf("%+v of %d, %v", nodes, total, err)
	}
	if raw, _ := json.Marshal(nodes[0]); !strings.Contains(string(raw), `"data_base64":"/wA="`) {
		t.Errorf("%s", raw)
	}
	if n, err := c.DeleteAll(ctx, "/a"); err != nil || n != 4 {
		t.Errorf("%d deleted, %v", n, err)
	}
	if _, err := c.Get(ctx, "/a"); !IsMissing(err) {
		t.Errorf("after deletion: %v", err)
	}
}

func TestNobodyServes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := Dial(ctx, Config{Connect: "127.0.0.1:1"})
	if want := "no ZooKeeper server of 127.0.0.1:1 serves: check that a majority of them runs"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestWhatIsShownIsKeptUpToDate(t *testing.T) {
	ctx := t.Context()
	address := serve(t)
	c := dial(t, address)
	for _, at := range []string{"/a", "/a/b", "/a/b/c"} {
		if _, err := c.Create(ctx, at, []byte(at), false); err != nil {
			t.Fatal(err)
		}
	}
	b, until := browse(t, dial(t, address), Spec{Open: map[string]int{"/": 10, "/a": 10}})
	v := until("the rows of / and /a", func(v *View) bool { return v.Entries["/a/b"] != nil })
	if e := v.Entries["/a/b"]; string(e.Data) != "/a/b" || e.Total != 1 || e.Opened || !v.Online {
		t.Errorf("%+v", e)
	}
	if v.Entries["/a/b/c"] != nil {
		t.Error("a znode that is not shown was read")
	}

	if _, err := c.Set(ctx, "/a/b", []byte("new"), AnyVersion); err != nil {
		t.Fatal(err)
	}
	v = until("the new data", func(v *View) bool { e := v.Entries["/a/b"]; return e != nil && string(e.Data) == "new" })
	if n := len(v.Changes); n != 1 || v.Changes[0].What != Changed || v.Changes[0].Path != "/a/b" {
		t.Errorf("%+v", v.Changes)
	}
	if _, err := c.Create(ctx, "/a/d", []byte("d"), false); err != nil {
		t.Fatal(err)
	}
	until("a new child", func(v *View) bool {
		return v.Entries["/a/d"] != nil && len(v.Changes) == 2 && v.Changes[1].What == Created
	})
	if _, err := c.Create(ctx, "/a/b/e", nil, false); err != nil {
		t.Fatal(err)
	}
	until("the number of children of a row", func(v *View) bool { return v.Entries["/a/b"].Total == 2 })
	if err := c.Delete(ctx, "/a/d", AnyVersion); err != nil {
		t.Fatal(err)
	}
	until("a child that is gone", func(v *View) bool { return v.Entries["/a/d"] == nil && v.Changes[len(v.Changes)-1].What == Deleted })

	b.Show(Spec{Open: map[string]int{"/": 10}, Detail: "/a"})
	v = until("the ACL of the one in detail", func(v *View) bool { e := v.Entries["/a"]; return e != nil && len(e.ACL) == 1 })
	if v.Entries["/a/b"] != nil {
		t.Error("what is closed is still there")
	}
	b.Show(Spec{Detail: "/nowhere"})
	until("a sentence about what is not there", func(v *View) bool {
		e := v.Entries["/nowhere"]
		return e != nil && e.Error == "there is no such znode"
	})
}

func TestASubtreeIsFollowed(t *testing.T) {
	ctx := t.Context()
	address := serve(t)
	c := dial(t, address)
	for _, at := range []string{"/a", "/a/b", "/a/b/c"} {
		if _, err := c.Create(ctx, at, nil, false); err != nil {
			t.Fatal(err)
		}
	}
	_, until := browse(t, dial(t, address), Spec{Follow: "/a"})
	until("all three", func(v *View) bool { return v.Followed == 3 && v.Entries["/a/b/c"] != nil && v.FollowedAll })
	if _, err := c.Set(ctx, "/a/b/c", []byte("x"), AnyVersion); err != nil {
		t.Fatal(err)
	}
	until("the change", func(v *View) bool { return len(v.Changes) == 1 })
	if _, err := c.Create(ctx, "/a/b/c/d", []byte("deep"), false); err != nil {
		t.Fatal(err)
	}
	until("what is made there is followed too", func(v *View) bool {
		return v.Followed == 4 && len(v.Changes) == 2 && string(v.Changes[1].Node.Data) == "deep"
	})
	if _, err := c.DeleteAll(ctx, "/a/b"); err != nil {
		t.Fatal(err)
	}
	v := until("what is deleted there", func(v *View) bool { return v.Followed == 1 })
	deleted := 0
	for _, change := range v.Changes {
		if change.What == Deleted {
			deleted++
		}
	}
	if deleted == 0 {
		t.Errorf("%+v", v.Changes)
	}
}

// TestManyChildrenCostTheirNames is a znode with very many children: only those that are shown are read.
func TestManyChildrenCostTheirNames(t *testing.T) {
	const many = 20_000
	ctx := t.Context()
	address := serve(t)
	c := dial(t, address)
	if _, err := c.Create(ctx, "/crowd", nil, false); err != nil {
		t.Fatal(err)
	}
	var making sync.WaitGroup
	for part := range 20 {
		making.Go(func() {
			for i := part * many / 20; i < (part+1)*many/20; i += 500 {
				var ops []any
				for j := range 500 {
					ops = append(ops, &zk.CreateRequest{Path: fmt.Sprintf("/crowd/%06d", i+j), Acl: zk.WorldACL(zk.PermAll)})
				}
				if _, err := c.session.Multi(ops...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	making.Wait()
	b, until := browse(t, dial(t, address), Spec{Open: map[string]int{"/crowd": 100}})
	v := until("the first hundred", func(v *View) bool { return v.Entries["/crowd/000099"] != nil && v.Entries["/crowd"] != nil })
	if e := v.Entries["/crowd"]; e.Total != many || e.Hidden() != many-100 || len(v.Entries) > 101 {
		t.Errorf("%d children, %d hidden, %d entries", e.Total, e.Hidden(), len(v.Entries))
	}
	b.Show(Spec{Open: map[string]int{"/crowd": 200}})
	until("a hundred more", func(v *View) bool { return v.Entries["/crowd/000199"] != nil })
}

func TestShow(t *testing.T) {
	for data, want := range map[string]Format{
		`{"a":1}`: JSON, `[1,2]`: JSON, `{"a":`: Text, `3`: Text, "": Text, "two\nlines": Text, "입금": Text,
		"\x1b[2J": Hex, "\xff\xfe": Hex, "a\x00": Hex, "{\"a\":\"\xff\"}": Hex,
	} {
		if text, got := Show([]byte(data), Auto); got != want {
			t.Errorf("%q is shown as %s: %s", data, got, text)
		}
	}
	if text, as := Show([]byte(`{"a":1}`), Text); as != Text || text != `{"a":1}` {
		t.Errorf("%s %q", as, text)
	}
	if text, as := Show([]byte("AB"), Hex); as != Hex || !strings.Contains(text, "41 42") {
		t.Errorf("%s %q", as, text)
	}
}

func FuzzShow(f *testing.F) {
	f.Add([]byte("\x1b]52;c;x\x07"), 10)
	f.Add([]byte("입금입금입금입금"), 7)
	f.Add([]byte(`{"a":"\u001b[2J"}`), 40)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		obeyed := func(r rune) bool { return r != '\n' && r != '\t' && r != '\r' && unicode.IsControl(r) }
		for _, format := range []Format{Auto, JSON, Text, Hex} {
			if text, _ := Show(data, format); strings.ContainsFunc(text, obeyed) || !utf8.ValidString(text) {
				t.Errorf("%q as %s holds what a terminal obeys", data, format)
			}
		}
		if limit < 0 || limit > 10_000 {
			return
		}
		if text := Preview(data, limit); strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) || len(text) > limit+2 {
			t.Errorf("%q previews as %q", data, text)
		}
	})
}

func TestMeanings(t *testing.T) {
	for _, c := range []struct{ chroot, path, means string }{
		{"", "/brokers/ids/2", "registration of broker-2"},
		{"/kafka", "/kafka/brokers/topics/orders/partitions/3/state", "leader and isr of orders/3"},
		{"/kafka", "/brokers/ids/2", ""},
		{"", "/other", ""},
		{"/kafka", "/zookeeper/config", "the ensemble's own configuration"},
	} {
		if got := Meaning(c.chroot, c.path); got != c.means {
			t.Errorf("%s below %q: %q, want %q", c.path, c.chroot, got, c.means)
		}
	}
	if hits := Hits("", "/controller"); !strings.Contains(hits, "elect another") {
		t.Errorf("%q", hits)
	}
	for _, k := range kinds {
		if strings.Contains(k.means+k.hits, "$2") && strings.Count(k.pattern, "*") < 2 {
			t.Errorf("%s has no second name", k.pattern)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, good := range []string{"/", "/a", "/a/b c"} {
		if err := Check(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "a", "/a/", "//a", "/a/../b"} {
		if Check(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if got := Sorted([]string{"10", "9", "a", "2"}); !slices.Equal(got, []string{"2", "9", "10", "a"}) {
		t.Errorf("%v", got)
	}
	if Protected("/zookeeper/quota") == "" || Protected("/") == "" || Protected("/brokers") != "" {
		t.Error("what is protected")
	}
	if !bytes.Equal([]byte(Session(-1)), []byte("0xffffffffffffffff")) {
		t.Error(Session(-1))
	}
}
