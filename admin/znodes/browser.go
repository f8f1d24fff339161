package znodes

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/admin/ensemble"
)

// Spec says which part of the tree is shown.
type Spec struct {
	Open   map[string]int // znodes whose children are shown, and how many of them at most
	Detail string         // the one that is shown with all its data and its ACL
	Follow string         // the one below which everything is followed, empty for none
}

// Entry is what is known of one znode.
type Entry struct {
	Node          // Data holds at most the first bytes, unless it is the one of Spec.Detail
	Total  int    // children, of which Node.Children has the first ones
	Error  string // why it could not be read
	Whole  bool   // Data is all of it
	Opened bool   // its children were read
}

// Change is something that happened to a znode that is shown or followed.
type Change struct {
	At   time.Time // as ZooKeeper recorded it; when it was seen, for what is gone
	Path string
	What What
	Node Node // after it; of one that is gone, the last that was known
}

// What is a kind of change.
type What string

// The kinds of changes.
const (
	Created What = "created"
	Changed What = "changed"
	Deleted What = "deleted"
)

// View is what a browser knows. Share it, never change it.
type View struct {
	At      time.Time
	Online  bool   // there is a session: what changes is heard of
	Server  string // that serves it
	Session int64
	Chroot  string
	Spec    Spec
	Entries map[string]*Entry // by path
	Changes []Change          // the newest last, of the newest few hundred
	// Followed is how many znodes below Spec.Follow are followed; FollowedAll says that there are no more.
	Followed    int
	FollowedAll bool
}

// Bounds of what a browser reads.
const (
	shortData    = 2 << 10 // bytes of data that are kept of a znode that is only a row
	mostFollowed = 5_000   // znodes
	keptChanges  = 500
	fewChildren  = 1_000                  // of a row; the number of more is as old as the row
	crowd        = 5_000                  // children; above that, a znode is not read again at each change
	crowdPause   = 2 * time.Second        // but so much later
	viewPause    = 50 * time.Millisecond  // between two views
	browseReads  = 8                      // paths that are read at once
	retryPause   = 500 * time.Millisecond // before what failed is read again
)

// Browser keeps a part of the tree up to date. It is made by [Client.Browse] and works while its Run does.
type Browser struct {
	client *Client
	views  chan *View
	dirty  chan struct{} // capacity 1
	queue  *ensemble.Queue

	mu       sync.Mutex
	spec     Spec
	online   bool
	server   string
	entries  map[string]*Entry
	changes  []Change
	newborn  map[string]bool // came into being while its parent was watched, and were not read yet
	followed map[string]bool
	cut      bool // there is more to follow than is followed
}

// Browse makes a browser. There can be one of a client: it takes the client's events.
func (c *Client) Browse() *Browser {
	b := &Browser{client: c, views: make(chan *View, 1), dirty: make(chan struct{}, 1), entries: map[string]*Entry{}}
	b.followed, b.newborn = map[string]bool{}, map[string]bool{}
	b.queue = ensemble.NewQueue(func() {})
	return b
}

// Views is the channel of views: capacity 1, the newest wins; closed when Run returns. One reader.
func (b *Browser) Views() <-chan *View { return b.views }

// Show says what is shown from now on.
func (b *Browser) Show(spec Spec) {
	b.mu.Lock()
	before := b.spec
	b.spec = Spec{Open: maps.Clone(spec.Open), Detail: spec.Detail, Follow: spec.Follow}
	if before.Follow != spec.Follow {
		clear(b.followed)
		b.cut = false
		if spec.Follow != "" {
			b.followed[spec.Follow] = true
		}
	}
	b.forget()
	var again []string
	for at, limit := range spec.Open {
		if before.Open[at] != limit {
			again = append(again, at)
		}
	}
	for _, at := range []string{spec.Detail, spec.Follow} {
		if at != "" && (at != before.Detail || at != before.Follow) {
			again = append(again, at)
		}
	}
	b.mu.Unlock()
	b.queue.Push(again...)
	b.changed()
}

// forget drops what is not shown any more.
func (b *Browser) forget() {
	for at := range b.entries {
		if !b.wanted(at) {
			delete(b.entries, at)
		}
	}
}

// wanted says whether a znode is shown or followed.
func (b *Browser) wanted(at string) bool {
	if at == b.spec.Detail || b.followed[at] {
		return true
	}
	if _, open := b.spec.Open[at]; open {
		return true
	}
	_, row := b.spec.Open[path.Dir(at)]
	return row && at != "/"
}

// Run reads and watches until ctx ends.
func (b *Browser) Run(ctx context.Context) error {
	defer close(b.views)
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() { b.publish(ctx) })
	for range browseReads {
		tasks.Go(func() {
			for {
				at, ok := b.queue.Next(ctx)
				if !ok {
					return
				}
				b.read(ctx, at)
				b.queue.Done(at)
			}
		})
	}
	b.changed()
	for {
		events, ok := b.client.inbox.Take(ctx)
		if !ok {
			return ctx.Err()
		}
		for _, e := range events {
			b.handle(ctx, e)
		}
	}
}

func (b *Browser) handle(ctx context.Context, e zk.Event) {
	switch {
	case e.Type != zk.EventSession:
		b.again(ctx, e.Path)
	case e.State == zk.StateHasSession:
		b.reconnected(e.Server)
	case e.State == zk.StateDisconnected, e.State == zk.StateExpired:
		b.mu.Lock()
		b.online = false
		b.mu.Unlock()
		b.changed()
	}
}

// again reads a path that changed, one with very many children a little later.
func (b *Browser) again(ctx context.Context, at string) {
	b.mu.Lock()
	wanted := b.wanted(at)
	crowded := b.entries[at] != nil && b.entries[at].Total > crowd
	b.mu.Unlock()
	switch {
	case !wanted:
	case crowded:
		time.AfterFunc(crowdPause, func() {
			if ctx.Err() == nil {
				b.queue.Push(at)
			}
		})
	default:
		b.queue.Push(at)
	}
}

// reconnected reads everything again.
func (b *Browser) reconnected(server string) {
	b.mu.Lock()
	b.online, b.server = true, server
	paths := slices.Collect(maps.Keys(b.entries))
	for at := range b.spec.Open {
		paths = append(paths, at)
	}
	for at := range b.followed {
		paths = append(paths, at)
	}
	if b.spec.Detail != "" {
		paths = append(paths, b.spec.Detail)
	}
	b.mu.Unlock()
	slices.Sort(paths)
	b.queue.Push(slices.Compact(paths)...)
	b.changed()
}

func (b *Browser) changed() {
	select {
	case b.dirty <- struct{}{}:
	default:
	}
}

// need is what has to be read of a path.
type need struct {
	node, children, acl, whole bool
	limit                      int
}

func (b *Browser) needOf(at string) need {
	limit, open := b.spec.Open[at]
	return need{
		node: b.wanted(at), children: open || b.followed[at], limit: limit,
		acl: at == b.spec.Detail, whole: at == b.spec.Detail,
	}
}

// read reads one path, leaves watches on it, and takes in what it says.
func (b *Browser) read(ctx context.Context, at string) {
	b.mu.Lock()
	n := b.needOf(at)
	b.mu.Unlock()
	if !n.node || ctx.Err() != nil {
		return
	}
	e, err := b.fetch(at, n)
	switch {
	case err == nil:
		b.take(at, e, n)
	case errors.Is(err, zk.ErrNoNode):
		b.gone(at)
	case errors.Is(err, zk.ErrConnectionClosed), errors.Is(err, zk.ErrSessionExpired), errors.Is(err, zk.ErrNoServer):
		return // everything is read again over the next connection
	default:
		b.take(at, Entry{Node: Node{Path: at}, Error: problem(at, err).Error()}, need{})
		time.AfterFunc(retryPause*4, func() { // an ACL may be changed
			if ctx.Err() == nil {
				b.queue.Push(at)
			}
		})
	}
	b.changed()
}

func (b *Browser) fetch(at string, n need) (Entry, error) {
	session := b.client.session
	e := Entry{Node: Node{Path: at}}
	data, stat, _, err := session.GetW(at)
	if errors.Is(err, zk.ErrNoAuth) {
		var exists bool
		if exists, stat, _, err = session.ExistsW(at); err == nil && !exists {
			err = zk.ErrNoNode
		}
		e.Error = "its ACL does not permit to read it"
	}
	if err != nil {
		return e, err
	}
	e.Whole = n.whole || len(data) <= shortData
	if !e.Whole {
		data = slices.Clone(data[:shortData])
	}
	e.Data, e.Stat, e.Total = data, statOf(stat), int(stat.NumChildren)
	if n.children || stat.NumChildren < fewChildren { // watched, so that their number is right
		names, _, _, err := session.ChildrenW(at)
		if err != nil && !errors.Is(err, zk.ErrNoAuth) {
			return e, err
		}
		e.Total = len(names)
		if n.children {
			e.Node.Children, e.Opened = Sorted(names), err == nil
		}
	}
	if n.acl {
		acl, _, err := session.GetACL(at)
		if err != nil && !errors.Is(err, zk.ErrNoAuth) {
			return e, err
		}
		e.ACL = aclOf(acl)
	}
	return e, nil
}

// take puts an entry in, notes what changed, and asks for children that are shown too.
func (b *Browser) take(at string, e Entry, n need) {
	b.mu.Lock()
	before := b.entries[at]
	if b.newborn[at] && e.Error == "" {
		b.note(Change{At: e.Stat.Created, Path: at, What: Created, Node: e.Node})
	}
	delete(b.newborn, at)
	if before != nil && e.Error == "" && before.Error == "" && before.Stat.Mzxid != e.Stat.Mzxid {
		b.note(Change{At: e.Stat.Modified, Path: at, What: Changed, Node: e.Node})
	}
	all := e.Node.Children
	if limit := n.limit; n.children && len(all) > limit && !b.followed[at] {
		e.Node.Children = all[:limit:limit]
	}
	if !b.wanted(at) {
		b.mu.Unlock()
		return
	}
	b.entries[at] = &e
	var more []string
	if e.Opened {
		more = b.births(at, before, &e, all)
	}
	b.mu.Unlock()
	b.queue.Push(more...)
}

// births compares the children of a znode with those it had: it notes who came and who went, and returns those to read.
func (b *Browser) births(at string, before, e *Entry, all []string) (read []string) {
	here := make(map[string]bool, len(e.Node.Children))
	known := before != nil && before.Opened
	had := map[string]bool{}
	if known {
		for _, name := range before.Node.Children {
			had[name] = true
		}
	}
	for _, name := range e.Node.Children {
		child := path.Join(at, name)
		here[name] = true
		if b.followed[at] && !b.followed[child] {
			if len(b.followed) >= mostFollowed {
				b.cut = true
			} else {
				b.followed[child] = true
				read = append(read, child)
			}
		}
		_, row := b.spec.Open[at]
		if b.entries[child] == nil && (row || b.followed[child]) {
			read = append(read, child)
		}
		if known && !had[name] && len(all) == len(e.Node.Children) && before.Total == len(before.Node.Children) {
			b.newborn[child] = true
		}
	}
	for name := range had {
		if !here[name] {
			b.drop(path.Join(at, name))
		}
	}
	return read
}

// gone drops a znode that does not exist any more.
func (b *Browser) gone(at string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(at)
	delete(b.newborn, at)
	if at == b.spec.Detail || at == b.spec.Follow {
		b.entries[at] = &Entry{Node: Node{Path: at}, Error: "there is no such znode"}
	}
}

// drop takes a znode and what is below it away.
func (b *Browser) drop(at string) {
	if e := b.entries[at]; e != nil && e.Stat.Czxid != 0 {
		b.note(Change{At: time.Now(), Path: at, What: Deleted, Node: e.Node})
	}
	for known := range b.entries {
		if known == at || strings.HasPrefix(known, at+"/") {
			delete(b.entries, known)
		}
	}
	for known := range b.followed {
		if known != b.spec.Follow && (known == at || strings.HasPrefix(known, at+"/")) {
			delete(b.followed, known)
		}
	}
}

func (b *Browser) note(c Change) {
	b.changes = append(b.changes, c)
	if len(b.changes) > 2*keptChanges {
		b.changes = slices.Clone(b.changes[len(b.changes)-keptChanges:])
	}
}

// publish sends views, with a pause between them.
func (b *Browser) publish(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.dirty:
		}
		v := b.view()
		select { // the newest wins
		case <-b.views:
		default:
		}
		b.views <- v
		select {
		case <-ctx.Done():
			return
		case <-time.After(viewPause):
		}
	}
}

func (b *Browser) view() *View {
	b.mu.Lock()
	defer b.mu.Unlock()
	changes := b.changes[max(0, len(b.changes)-keptChanges):]
	return &View{
		At: time.Now(), Online: b.online, Server: b.server, Session: b.client.Session(), Chroot: b.client.chroot, Spec: b.spec,
		Entries: maps.Clone(b.entries), Changes: changes[:len(changes):len(changes)],
		Followed: len(b.followed), FollowedAll: !b.cut,
	}
}

// Hidden is how many children are not among Children.
func (e *Entry) Hidden() int {
	if !e.Opened {
		return 0
	}
	return e.Total - len(e.Node.Children)
}
