package ensemble

import (
	"errors"
	"log/slog"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"
)

// Credential says to ZooKeeper who a client is, for znodes whose ACL names users. It never prints its secret.
type Credential struct {
	scheme string
	secret []byte
}

// ParseCredential reads digest:USER:PASSWORD. Its error does not repeat the text.
func ParseCredential(text string) (Credential, error) {
	scheme, secret, _ := strings.Cut(text, ":")
	user, password, ok := strings.Cut(secret, ":")
	if scheme != "digest" || !ok || user == "" || password == "" {
		return Credential{}, errors.New("it must be digest:USER:PASSWORD")
	}
	return Credential{scheme, []byte(secret)}, nil
}

// String names the user.
func (c Credential) String() string {
	user, _, _ := strings.Cut(string(c.secret), ":")
	return c.scheme + ":" + user + ":…"
}

// LogValue implements [slog.LogValuer].
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// GoString implements [fmt.GoStringer].
func (c Credential) GoString() string { return c.String() }

// introduction holds back that there is a session until the server has been told who its client is: what is asked then is
// asked as that user. The client library says it again over each later connection, before anything else.
type introduction struct {
	who     []Credential
	deliver func(zk.Event)
	log     *slog.Logger
	conn    chan *zk.Conn // capacity 1

	mu   sync.Mutex
	done bool
	held []zk.Event
}

// introduce returns what takes the events of a session in the place of deliver.
func introduce(who []Credential, deliver func(zk.Event), log *slog.Logger) *introduction {
	return &introduction{who: who, deliver: deliver, log: log, conn: make(chan *zk.Conn, 1)}
}

func (i *introduction) event(e zk.Event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.done:
		i.deliver(e)
	case e.Type == zk.EventSession && e.State == zk.StateHasSession:
		i.held = []zk.Event{e}
		go i.say()
	case len(i.held) > 0 && e.State != zk.StateDisconnected && e.State != zk.StateExpired:
		i.held = append(i.held, e)
	default:
		i.held = nil
		i.deliver(e)
	}
}

// say tells the server; if the connection is lost meanwhile it is said again over the next one.
func (i *introduction) say() {
	conn := <-i.conn
	i.conn <- conn
	for _, c := range i.who {
		if err := conn.AddAuth(c.scheme, c.secret); err != nil {
			i.log.Debug("zookeeper: credentials could not be told", "who", c, "err", err)
			return
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.done {
		return
	}
	i.done = true
	for _, e := range i.held {
		i.deliver(e)
	}
	i.held = nil
}
