package ensemble

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Prober asks servers one by one.
type Prober struct {
	// AdminPort is where admin servers are looked for.
	AdminPort string
	// TLS is how the servers are reached, nil for plain connections.
	TLS *tls.Config

	mu     sync.Mutex
	admins map[string]adminServer // by the address of the server
}

// NewProber makes a prober.
func NewProber() *Prober { return &Prober{AdminPort: AdminPort, admins: map[string]adminServer{}} }

// AdminPort is where Apache's AdminServer listens unless admin.serverPort says otherwise.
const AdminPort = "8080"

// NotAllowedError says that a server does not answer a four-letter word, and has no admin server that does.
type NotAllowedError struct{ Word string }

// Error names the setting.
func (e *NotAllowedError) Error() string {
	return "does not allow " + e.Word + ": add it to 4lw.commands.whitelist in its zoo.cfg, or open its admin server (admin.enableServer, admin.serverPort)"
}

// Word sends a four-letter word and returns the whole answer.
func (p *Prober) Word(ctx context.Context, address, word string) (string, error) {
	conn, err := dial(ctx, address, p.TLS)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if _, err := io.WriteString(conn, word); err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(conn, longest))
	if err != nil && !(errors.Is(err, syscall.ECONNRESET) && len(data) > 0) {
		return "", err
	}
	text := string(data)
	switch {
	case text == "":
		return "", ErrSilent
	case strings.Contains(text, "is not executed because it is not in the whitelist"):
		return "", &NotAllowedError{Word: word}
	case strings.Contains(text, "is not currently serving requests"):
		return "", ErrNoQuorum
	}
	return text, nil
}

// ErrSilent is what a port that wants TLS answers to who comes without.
var ErrSilent = errors.New("closed the connection without an answer: does it want TLS (--zk-tls-config-file)?")

// longest bounds an answer: some 50,000 sessions.
const longest = 8 << 20

// Server asks a server how it is. With more it also asks for what mntr alone says: where that is not allowed, the
// server comes with a [NotAllowedError].
func (p *Prober) Server(ctx context.Context, address string, more bool) (Server, error) {
	var s Server
	text, err := p.Word(ctx, address, "srvr")
	if err == nil {
		s, err = ParseServer(text)
	}
	refused := isNotAllowed(err)
	if err != nil && !refused || err == nil && !more {
		return s, err
	}
	m, err := p.monitor(ctx, address)
	switch {
	case err == nil && refused:
		return p.zxid(ctx, address, m), nil
	case err == nil:
		return s.with(m), nil
	case refused && isNotAllowed(err):
		return s, &NotAllowedError{Word: "srvr"}
	}
	return s, err
}

func (p *Prober) monitor(ctx context.Context, address string) (Server, error) {
	text, err := p.Word(ctx, address, "mntr")
	if isNotAllowed(err) {
		values, adminErr := p.command(ctx, address, "monitor")
		if adminErr != nil {
			return Server{}, err
		}
		words := map[string]string{}
		for name, value := range values {
			words[name] = plain(value)
		}
		return monitored(words)
	}
	if err != nil {
		return Server{}, err
	}
	return ParseMonitor(text)
}

// zxid adds what monitor lacks.
func (p *Prober) zxid(ctx context.Context, address string, s Server) Server {
	if stats, err := p.command(ctx, address, "stats"); err == nil {
		if values, ok := stats["server_stats"].(map[string]any); ok {
			whole(plain(values["last_processed_zxid"]), &s.Zxid)
		}
	}
	return s
}

// Connections asks a server who its clients are.
func (p *Prober) Connections(ctx context.Context, address string) ([]Connection, error) {
	text, err := p.Word(ctx, address, "cons")
	if isNotAllowed(err) {
		values, adminErr := p.command(ctx, address, "connections")
		if adminErr != nil {
			return nil, err
		}
		return adminConnections(values), nil
	}
	if err != nil {
		return nil, err
	}
	return ParseConnections(text), nil
}

// Dump asks a server which sessions there are. Any server knows all of them.
func (p *Prober) Dump(ctx context.Context, address string) (Dump, error) {
	text, err := p.Word(ctx, address, "dump")
	if isNotAllowed(err) {
		values, adminErr := p.command(ctx, address, "dump")
		if adminErr != nil {
			return Dump{}, err
		}
		return adminDump(values), nil
	}
	if err != nil {
		return Dump{}, err
	}
	return ParseDump(text), nil
}

func isNotAllowed(err error) bool {
	_, is := errors.AsType[*NotAllowedError](err)
	return is
}

// plain is a JSON value as text.
func plain(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(value)
}
