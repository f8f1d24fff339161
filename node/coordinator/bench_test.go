package coordinator

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"kdrill/node/coordinator/proto"
)

// BenchmarkBesideApache runs three nodes of ours and three of Apache ZooKeeper side by side and prints what each does:
// create, set and get of 200 bytes a second by so many clients at a time, each waiting for its answer; how long a node
// takes from its start until all serve, and from the leader's death until a client of a survivor has written; memory.
// Both sync their logs to disk. They take turns, so that what else happens on the machine hits both, and every turn
// starts at another node, so that the clients are spread over the leader and the followers alike.
//
//	go test ./node/coordinator -run '^$' -bench BesideApache -benchtime 6x
func BenchmarkBesideApache(b *testing.B) {
	sides := []*side{{name: "kdrill", start: startEnsemble}, {name: "apache", start: startApache}}
	var table rows
	for _, s := range sides {
		s.up(b)
	}
	idle := measure(sides, func(s *side) float64 { return s.memory(b) })
	for _, s := range sides {
		s.warmUp(b)
	}
	for _, op := range operations {
		for _, clients := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("%s/clients=%d", op.name, clients), func(b *testing.B) {
				table.load(fmt.Sprintf("%s, clients: %d", op.name, clients), b, sides, op, clients)
			})
		}
	}
	table.add("MB a node, after the start", idle, less)
	table.add("MB a node, after the load", measure(sides, func(s *side) float64 { return s.memory(b) }), less)
	table.add("s from start until all serve", measure(sides, func(s *side) float64 { return s.startTime.Seconds() }), less)
	b.Run("election", func(b *testing.B) { table.elections(b, sides) })
	b.ReportMetric(0, "ns/op")
	table.print()
}

// operation is one kind of request that a client repeats; n is different for each.
type operation struct {
	name string
	op   proto.Op
	body func(e *proto.Encoder, client, n int)
}

var operations = []operation{
	{"create", proto.OpCreate, func(e *proto.Encoder, client, n int) {
		(&proto.Create{Path: fmt.Sprintf("/bench/%d/n%d", client, n), Data: payload[:], ACL: proto.Anyone()}).Encode(e)
	}},
	{"set", proto.OpSetData, func(e *proto.Encoder, client, _ int) {
		e.String(benchPath(client))
		e.Buffer(payload[:])
		e.Int(-1)
	}},
	{"get", proto.OpGetData, func(e *proto.Encoder, client, _ int) {
		e.String(benchPath(client))
		e.Bool(false)
	}},
}

func benchPath(client int) string { return fmt.Sprintf("/bench/%d", client) }

var payload [200]byte

// benchClients is how many znodes are prepared: one for each client.
const benchClients = 128

// side is one of the two ensembles.
type side struct {
	*ensemble
	name      string
	start     func(t testing.TB, size int, settings ...string) *ensemble
	settings  []string
	startTime time.Duration // until all nodes served
	elections []time.Duration
}

func (s *side) up(b *testing.B) {
	began := time.Now()
	s.ensemble = s.start(b, 3, append([]string{"tickTime=2000"}, s.settings...)...)
	s.startTime = time.Since(began)
	s.prepare(b)
}

// prepare makes the znodes of the clients.
func (s *side) prepare(b *testing.B) {
	c := dial(b, s.leader().client)
	c.connect(10 * time.Second)
	c.create("/bench", 0)
	for i := range benchClients {
		c.request(proto.OpCreate, (&proto.Create{Path: benchPath(i), Data: payload[:], ACL: proto.Anyone()}).Encode)
		if c.code != proto.OK {
			b.Fatalf("%s: create %s: error %d", s.name, benchPath(i), c.code)
		}
	}
	c.request(proto.OpCloseSession, nil)
}

// warmUp lets a JVM compile what it will run.
func (s *side) warmUp(b *testing.B) {
	for turn := range 3 {
		for _, op := range operations {
			s.load(b, op, 16, turn, 4*time.Second)
		}
	}
}

// memory is what a node takes, in MB, on average.
func (e *ensemble) memory(t testing.TB) float64 {
	var pages int64
	for _, p := range e.nodes {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
		if err != nil {
			t.Skip("memory is read from /proc")
		}
		var total, resident int64
		fmt.Sscan(string(b), &total, &resident)
		pages += resident
	}
	return float64(pages*int64(os.Getpagesize())) / float64(len(e.nodes)) / 1e6
}

// elections kills each side's leader once a turn.
func (t *rows) elections(b *testing.B, sides []*side) {
	for b.Loop() {
		for _, s := range sides {
			s.elections = append(s.elections, s.election(b))
		}
	}
	t.add("ms from kill -9 of the leader to a write, median", measure(sides, func(s *side) float64 {
		slices.Sort(s.elections)
		return ms(percentile(s.elections, 50))
	}), less)
	b.ReportMetric(0, "ns/op")
}

// election is how long it takes from the leader's death until a client of a survivor has written.
func (s *side) election(b *testing.B) time.Duration {
	leader, follower := s.leader(), s.follower()
	leader.kill()
	died := time.Now()
	eventually(b, s.name+" takes a write of a new client", func() bool {
		c, err := connectBench(follower.client)
		if err != nil {
			return false
		}
		defer c.Close()
		_, err = c.do(operations[1], 0, 0)
		return err == nil
	})
	took := time.Since(died)
	leader.start()
	leader.serving()
	return took
}

// rows are the table that is printed in the end.
type rows struct{ lines []string }

// better says which way a number should go.
type better bool

const (
	less better = false
	more better = true
)

func measure(sides []*side, of func(*side) float64) []float64 {
	var values []float64
	for _, s := range sides {
		values = append(values, of(s))
	}
	return values
}

// add adds ours and Apache's value of one thing and how many times better ours is.
func (t *rows) add(what string, values []float64, way better) {
	ratio := values[0] / values[1]
	if way == less {
		ratio = values[1] / values[0]
	}
	t.lines = append(t.lines, fmt.Sprintf("| %s\t| %.4g\t| %.4g\t| %.2f\t|", what, values[0], values[1], ratio))
}

func (t *rows) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 1, 1, ' ', 0)
	fmt.Fprintln(w, "\n| \t| kdrill\t| apache\t| better, times\t|\n|---\t|---\t|---\t|---\t|")
	fmt.Fprintln(w, strings.Join(t.lines, "\n"))
	w.Flush()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
