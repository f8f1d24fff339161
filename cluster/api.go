package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"
)

var errServerClosed = http.ErrServerClosed

// server is the API: JSON on a Unix socket, one object a line where there are many.
//
//	GET  /v1/status                 the cluster now; ?follow=1 again at every change and every second
//	GET  /v1/events                 the timeline; ?from=N from its event N on, -N the last N; ?follow=1 waits for more
//	POST /v1/events                 records an event
//	POST /v1/up                     starts every node that does not run
//	POST /v1/down                   stops everything and answers when all of it is gone
//	POST /v1/nodes                  adds a broker
//	POST /v1/nodes/{name}/{verb}    kill, stop, pause, resume, restart or start
//	GET  /v1/nodes/{name}/log       the log's last lines as text; ?lines=N, ?follow=1
//
// What cannot be done is answered with {"error": "one sentence"}.
func (s *Supervisor) server(ctx context.Context) *http.Server {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.refuse(w, err)
			}
		})
	}
	handle("GET /v1/status", s.getStatus)
	handle("GET /v1/events", s.getEvents)
	handle("POST /v1/events", s.postEvent)
	handle("POST /v1/up", func(w http.ResponseWriter, r *http.Request) error { return s.then(w, s.ask(r.Context(), s.up)) })
	handle("POST /v1/down", s.postDown)
	handle("POST /v1/nodes", s.postNode)
	handle("POST /v1/nodes/{name}/{verb}", s.postVerb)
	handle("GET /v1/nodes/{name}/log", s.getLog)
	return &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// answer is an error with its HTTP status.
type answer struct {
	status int
	error
}

func (s *Supervisor) refuse(w http.ResponseWriter, err error) {
	status := http.StatusConflict
	if a, ok := errors.AsType[answer](err); ok {
		status = a.status
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{Error: err.Error()})
}

// then answers a deed with the status after it.
func (s *Supervisor) then(w http.ResponseWriter, err error) error {
	if err != nil {
		return err
	}
	return writeJSON(w, s.measured())
}

func writeJSON(w http.ResponseWriter, value any) error {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client is gone, nobody is left to tell
	return nil
}

// measured is the status with what the processes use now.
func (s *Supervisor) measured() Status {
	status, _ := s.view.get()
	return s.measure(status)
}

func (s *Supervisor) measure(status Status) Status {
	var pids []int
	for _, n := range status.Nodes {
		if n.PID != 0 {
			pids = append(pids, n.PID)
		}
	}
	vitals := s.host.look(pids...)
	for i := range status.Nodes {
		n := &status.Nodes[i]
		v := vitals[n.PID]
		n.RSS, n.CPU = v.rss, v.cpu
	}
	status.At = time.Now()
	return status
}

func follows(r *http.Request) bool {
	follow, _ := strconv.ParseBool(r.FormValue("follow"))
	return follow
}

// number reads a whole number of the query.
func number(r *http.Request, name string, fallback int) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, answer{http.StatusBadRequest, fmt.Errorf("%s=%s is not a whole number", name, text)}
	}
	return n, nil
}

const measureEvery = time.Second

func (s *Supervisor) getStatus(w http.ResponseWriter, r *http.Request) error {
	if !follows(r) {
		return writeJSON(w, s.measured())
	}
	out := newLines(w)
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		status, outdated := s.view.get()
		if err := out.write(s.measure(status)); err != nil {
			return nil
		}
		select {
		case <-outdated:
		case <-tick.C:
		case <-s.ended:
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
}

func (s *Supervisor) getEvents(w http.ResponseWriter, r *http.Request) error {
	from, err := number(r, "from", 0)
	if err != nil {
		return err
	}
	out := newLines(w)
	events := readTimeline(filepath.Join(s.dir, timelineFile), from)
	if follows(r) {
		events = s.Events(r.Context(), from)
	}
	for e, err := range events {
		if err != nil {
			s.log.Error("timeline", "err", err)
			return nil
		}
		if err := out.write(e); err != nil {
			return nil
		}
	}
	return nil
}

func (s *Supervisor) postEvent(w http.ResponseWriter, r *http.Request) error {
	var e Event
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&e); err != nil || e.Kind == "" {
		return answer{http.StatusBadRequest, errors.New("an event is a JSON object with at least a kind")}
	}
	err := s.ask(r.Context(), func() error { s.record(e); return nil })
	if err != nil {
		return err
	}
	return writeJSON(w, struct{}{})
}

// readAsked reads who asks; a body is not required.
func readAsked(w http.ResponseWriter, r *http.Request) (asked, error) {
	var a asked
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&a)
	if err != nil && !errors.Is(err, io.EOF) {
		return a, answer{http.StatusBadRequest, fmt.Errorf(`body: want {"by": "who"}: %w`, err)}
	}
	if a.By == "" {
		a.By = "API"
	}
	return a, nil
}

func (s *Supervisor) postVerb(w http.ResponseWriter, r *http.Request) error {
	a, err := readAsked(w, r)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	return s.then(w, s.ask(r.Context(), func() error {
		if _, err := s.spec.Node(name); err != nil {
			return answer{http.StatusNotFound, err}
		}
		return s.do(s.member(name), Verb(r.PathValue("verb")), a.By)
	}))
}

func (s *Supervisor) postNode(w http.ResponseWriter, r *http.Request) error {
	a, err := readAsked(w, r)
	if err != nil {
		return err
	}
	var name string
	err = s.ask(r.Context(), func() (err error) { name, err = s.addBroker(a.By); return err })
	if err != nil {
		return err
	}
	status := s.measured()
	n, _ := status.Node(name)
	return writeJSON(w, n)
}

// postDown answers when everything is down. A client that goes away does not change the cluster's mind.
func (s *Supervisor) postDown(w http.ResponseWriter, r *http.Request) error {
	result := make(chan error, 1)
	if err := s.ask(r.Context(), func() error { s.goDown(result); return nil }); err != nil {
		return err
	}
	select {
	case err := <-result:
		return s.then(w, err)
	case <-s.ended:
		select {
		case err := <-result:
			return s.then(w, err)
		default:
			return errEnded
		}
	}
}

func (s *Supervisor) getLog(w http.ResponseWriter, r *http.Request) error {
	lines, err := number(r, "lines", -1)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	known := s.Status()
	if _, ok := known.Node(name); !ok {
		return answer{http.StatusNotFound, fmt.Errorf("no node %q", name)}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	flush := http.NewResponseController(w)
	for line, err := range tail(r.Context(), filepath.Join(nodeFolder(s.dir, name), logFile), lines, follows(r)) {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, line+"\n"); err != nil {
			return nil
		}
		if follows(r) {
			_ = flush.Flush()
		}
	}
	return nil
}

// lines writes JSON objects that the client sees at once.
type lines struct {
	encoder *json.Encoder
	flush   *http.ResponseController
}

func newLines(w http.ResponseWriter) lines {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return lines{encoder: json.NewEncoder(w), flush: http.NewResponseController(w)}
}

func (l lines) write(value any) error {
	if err := l.encoder.Encode(value); err != nil {
		return err
	}
	return l.flush.Flush()
}
