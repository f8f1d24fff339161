package znodes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/admin/ensemble"
)

// Config says which ensemble.
type Config struct {
	Connect string        // host:port,…/chroot
	Session time.Duration // asked of ZooKeeper, 6 s if 0
	Access  ensemble.Access
	Log     *slog.Logger // nil discards
}

// Client is a session with an ensemble. Paths are absolute, also where there is a chroot.
type Client struct {
	cfg     Config
	chroot  string
	session *ensemble.Session
	inbox   *ensemble.Inbox

	mu     sync.Mutex
	online chan struct{} // closed while there is a session
}

// Dial opens a session and waits for it until ctx ends.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.ready(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Open starts to open a session; calls wait for it.
func Open(cfg Config) (*Client, error) {
	if cfg.Session <= 0 {
		cfg.Session = 6 * time.Second
	}
	servers, chroot := ensemble.Servers(cfg.Connect)
	c := &Client{cfg: cfg, chroot: chroot, inbox: ensemble.NewInbox(), online: make(chan struct{})}
	session, err := ensemble.Connect(ensemble.Config{Servers: servers, Timeout: cfg.Session, Event: c.event, Access: cfg.Access, Log: cfg.Log})
	c.session = session
	return c, err
}

// Close ends the session.
func (c *Client) Close() { c.session.Close() }

// Chroot is where the cluster's znodes begin, empty for the root.
func (c *Client) Chroot() string { return c.chroot }

// Session is the number of the session, 0 while there is none.
func (c *Client) Session() int64 { return c.session.SessionID() }

func (c *Client) event(e zk.Event) {
	if e.Type == zk.EventSession {
		c.mu.Lock()
		switch e.State {
		case zk.StateHasSession:
			select {
			case <-c.online:
			default:
				close(c.online)
			}
		case zk.StateDisconnected, zk.StateExpired:
			select {
			case <-c.online:
				c.online = make(chan struct{})
			default:
			}
		}
		c.mu.Unlock()
	}
	c.inbox.Put(e)
}

// ready waits for a session: what is asked without one would be sent at some later time, when nobody waits for it.
func (c *Client) ready(ctx context.Context) error {
	c.mu.Lock()
	online := c.online
	c.mu.Unlock()
	select {
	case <-online:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no ZooKeeper server of %s serves: check that a majority of them runs", c.cfg.Connect)
	}
}

// call does something over the session; it gives up waiting when ctx ends.
func call[T any](ctx context.Context, c *Client, do func() (T, error)) (T, error) {
	var none T
	if err := c.ready(ctx); err != nil {
		return none, err
	}
	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		value, err := do()
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		return none, fmt.Errorf("ZooKeeper has not answered: %w", ctx.Err())
	}
}

// problem puts an error of the client library into words.
func problem(at string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, zk.ErrNoNode):
		return fmt.Errorf("there is no znode %s%w", at, silently{err})
	case errors.Is(err, zk.ErrNoAuth):
		return fmt.Errorf("the ACL of %s does not permit it%w", at, silently{err})
	case errors.Is(err, zk.ErrBadVersion):
		return fmt.Errorf("%s was changed since it was read: look at it again%w", at, silently{err})
	case errors.Is(err, zk.ErrNotEmpty):
		return fmt.Errorf("%s has children: delete them too with --recursive%w", at, silently{err})
	case errors.Is(err, zk.ErrNodeExists):
		return fmt.Errorf("there is a znode %s already%w", at, silently{err})
	case errors.Is(err, zk.ErrNoChildrenForEphemerals):
		return fmt.Errorf("%s: an ephemeral znode has no children%w", at, silently{err})
	case errors.Is(err, zk.ErrConnectionClosed), errors.Is(err, zk.ErrSessionExpired):
		return fmt.Errorf("the connection to ZooKeeper was lost on the way: whether it was done is not known%w", silently{err})
	}
	return fmt.Errorf("%s: %w", at, err)
}

// silently wraps an error whose words are in the sentence before it.
type silently struct{ error }

func (s silently) Error() string { return "" }
func (s silently) Unwrap() error { return s.error }

// IsMissing says whether an error means that there is no such znode.
func IsMissing(err error) bool { return errors.Is(err, zk.ErrNoNode) }

// Check says what is wrong with a path, as ZooKeeper would.
func Check(at string) error {
	switch {
	case !strings.HasPrefix(at, "/"):
		return fmt.Errorf("%q: a path starts with /", at)
	case at != "/" && strings.HasSuffix(at, "/"):
		return fmt.Errorf("%s: a path does not end with /", at)
	case path.Clean(at) != at:
		return fmt.Errorf("%s: no part of a path is empty, or one or two dots", at)
	}
	return nil
}

// Get reads one znode: data, stat, names of children, and its ACL where that may be read.
func (c *Client) Get(ctx context.Context, at string) (Node, error) {
	return call(ctx, c, func() (Node, error) {
		data, stat, err := c.session.Get(at)
		if err != nil {
			return Node{}, problem(at, err)
		}
		n := Node{Path: at, Data: data, Stat: statOf(stat)}
		names, _, err := c.session.Children(at)
		if err != nil {
			return Node{}, problem(at, err)
		}
		n.Children = Sorted(names)
		acl, _, err := c.session.GetACL(at)
		if err != nil && !errors.Is(err, zk.ErrNoAuth) {
			return Node{}, problem(at, err)
		}
		n.ACL = aclOf(acl)
		return n, nil
	})
}

// List reads the children of a znode, at most limit of them, in order; total is how many there are.
func (c *Client) List(ctx context.Context, at string, limit int) (nodes []Node, total int, err error) {
	names, err := call(ctx, c, func() ([]string, error) {
		names, _, err := c.session.Children(at)
		return Sorted(names), problem(at, err)
	})
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names[:min(len(names), limit)] {
		child := path.Join(at, name)
		n, err := call(ctx, c, func() (Node, error) {
			data, stat, err := c.session.Get(child)
			if errors.Is(err, zk.ErrNoAuth) {
				_, stat, err = c.session.Exists(child)
			}
			if err != nil {
				return Node{}, problem(child, err)
			}
			return Node{Path: child, Data: data, Stat: statOf(stat)}, nil
		})
		if IsMissing(err) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, 0, err
		}
		nodes = append(nodes, n)
	}
	return nodes, len(names), nil
}

// Owners returns the paths of ephemeral znodes by the session that owns them: see [ensemble.Session.Owners].
func (c *Client) Owners(ctx context.Context, limit int, skip func(path string) bool) (owners map[int64][]string, whole bool, err error) {
	owners, err = call(ctx, c, func() (found map[int64][]string, err error) {
		found, whole, err = c.session.Owners(ctx, limit, skip)
		return found, err
	})
	return owners, whole, err
}

// Session writes the number of a session as ZooKeeper does.
func Session(id int64) string { return "0x" + strconv.FormatUint(uint64(id), 16) }

func statOf(s *zk.Stat) Stat {
	if s == nil {
		return Stat{}
	}
	return Stat{
		Czxid: s.Czxid, Mzxid: s.Mzxid, Pzxid: s.Pzxid, Created: time.UnixMilli(s.Ctime), Modified: time.UnixMilli(s.Mtime),
		Version: s.Version, Cversion: s.Cversion, Aversion: s.Aversion, Owner: s.EphemeralOwner, Length: int(s.DataLength), Children: int(s.NumChildren),
	}
}

func aclOf(list []zk.ACL) []ACL {
	var all []ACL
	for _, a := range list {
		perms := ""
		for _, letter := range []struct {
			bit  int32
			text string
		}{{zk.PermCreate, "c"}, {zk.PermDelete, "d"}, {zk.PermRead, "r"}, {zk.PermWrite, "w"}, {zk.PermAdmin, "a"}} {
			if a.Perms&letter.bit != 0 {
				perms += letter.text
			}
		}
		all = append(all, ACL{Scheme: a.Scheme, ID: a.ID, Perms: perms})
	}
	return all
}

// Sorted sorts names in place: numbers as numbers, so that 10 follows 9.
func Sorted(names []string) []string {
	slices.SortFunc(names, func(a, b string) int {
		if x, err := strconv.ParseUint(a, 10, 63); err == nil {
			if y, err := strconv.ParseUint(b, 10, 63); err == nil && x != y {
				if x < y {
					return -1
				}
				return 1
			}
		}
		return strings.Compare(a, b)
	})
	return names
}
