package compare

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"kdrill/cluster"
)

// run is the drill played once: what happened by engine, apache and embedded, in the order of the steps.
type run map[string][]outcome

// outcome is what one step did.
type outcome struct {
	Step    string
	Events  []happened
	Clients seen
}

// happened is an event without what differs from run to run.
type happened struct {
	What  string
	After time.Duration // since the fault
}

// normalise drops what is another story, and names brokers by their part; sets are ordered. What happens more than once
// is numbered. An election in two writes, first nobody and then somebody, is one: whether an observer sees the first is a
// matter of a few milliseconds, and the epoch tells.
func normalise(events []cluster.Event, p parts, topic, node string) (told []happened) {
	part := func(text string) string {
		ids := strings.Split(strings.TrimPrefix(text, "broker-"), ",")
		for i, id := range ids {
			var n int32
			if _, err := fmt.Sscan(id, &n); err == nil {
				ids[i] = p.name(n)
			}
		}
		slices.Sort(ids)
		return strings.Join(ids, ",")
	}
	var began time.Time
	var left *cluster.Event // who led before nobody did
	times := map[string]int{}
	for _, e := range events {
		if began.IsZero() {
			began = e.At
		}
		what := ""
		switch {
		case e.Kind == cluster.KindFault && e.Subject == node:
			began = e.At
		case e.Kind == "session" || e.Kind == "joined":
			what = fmt.Sprintf("%s %s", map[string]string{"session": "session ends:", "joined": "registered:"}[e.Kind], part(e.Subject))
		case e.Kind == "controller":
			what = fmt.Sprintf("controller moves, epoch +%d", e.NewEpoch-e.OldEpoch)
		case e.Kind == "coordinator":
			what = "coordinators have another leader"
		case e.Subject == topic+"/0" && e.Kind == "offline":
			left = &e
			continue
		case e.Subject == topic+"/0" && e.Kind == "leader":
			if left != nil {
				e.Old, e.OldEpoch, left = left.Old, left.OldEpoch, nil
			}
			what = fmt.Sprintf("leader %s -> %s, epoch +%d", part(e.Old), part(e.New), e.NewEpoch-e.OldEpoch)
		case e.Subject == topic+"/0" && e.Kind == "isr":
			what = fmt.Sprintf("isr %s -> %s", part(e.Old), part(e.New))
		case e.Subject == topic && strings.HasPrefix(e.Kind, "topic-"):
			what = e.Kind
		case e.Kind == cluster.KindExit && e.Subject == node:
			what = "the process has ended"
		}
		if what == "" {
			continue
		}
		if times[what]++; times[what] > 1 {
			what = fmt.Sprintf("%s (%d)", what, times[what])
		}
		told = append(told, happened{what, e.At.Sub(began)})
	}
	if left != nil {
		told = append(told, happened{"nobody leads any more", left.At.Sub(began)})
	}
	return told
}

// measures are the times of something in all runs of one engine.
type measures []time.Duration

func (m measures) median() time.Duration {
	sorted := slices.Sorted(slices.Values(m))
	return sorted[len(sorted)/2]
}

// table puts what happened in all runs of a folder side by side: in how many runs of each engine, after how long, and the
// ratio of the medians.
func table(b *testing.B, folder string) string {
	var runs []run
	paths, _ := filepath.Glob(filepath.Join(folder, "*.json"))
	for _, path := range paths {
		var r run
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &r)
		}
		if err != nil {
			b.Fatal(err)
		}
		runs = append(runs, r)
	}
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintf(out, "%d runs on each\tapache\t\tembedded\t\tratio\n", len(runs))
	for i := range runs[0]["apache"] {
		fmt.Fprintf(out, "%s\t\t\t\t\t\n", runs[0]["apache"][i].Step)
		events, clients := map[string]map[string]measures{}, map[string]map[string]measures{}
		for _, r := range runs {
			for engine, outcomes := range r {
				for _, h := range outcomes[i].Events {
					note(events, h.What, engine, h.After)
				}
				for what, d := range outcomes[i].Clients.gaps() {
					note(clients, what, engine, d)
				}
			}
		}
		rows(out, events, len(runs))
		rows(out, clients, len(runs))
		for _, engine := range []string{"apache", "embedded"} {
			var all seen
			for _, r := range runs {
				all.add(r[engine][i].Clients)
			}
			if all.Acked > 0 {
				fmt.Fprintf(out, "  clients of %s: %s\t\t\t\t\t\n", engine, all)
			}
		}
	}
	_ = out.Flush()
	return text.String()
}

func note(all map[string]map[string]measures, what, engine string, d time.Duration) {
	if all[what] == nil {
		all[what] = map[string]measures{}
	}
	all[what][engine] = append(all[what][engine], d)
}

// rows writes one row for everything that happened, in the order of its time.
func rows(out *tabwriter.Writer, all map[string]map[string]measures, runs int) {
	earliest := func(what string) time.Duration {
		for _, engine := range []string{"apache", "embedded"} {
			if m := all[what][engine]; len(m) > 0 {
				return m.median()
			}
		}
		return 0
	}
	for _, what := range slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return int(earliest(a) - earliest(b))
	}) {
		cell := func(engine string) string {
			m := all[what][engine]
			if len(m) == 0 {
				return fmt.Sprintf("0/%d\t-", runs)
			}
			return fmt.Sprintf("%d/%d\t%.2f s", len(m), runs, m.median().Seconds())
		}
		ratio := ""
		if a, e := all[what]["apache"], all[what]["embedded"]; len(a) > 0 && len(e) > 0 {
			ratio = fmt.Sprintf("%.2f", e.median().Seconds()/max(a.median().Seconds(), 0.001))
		}
		fmt.Fprintf(out, "  %s\t%s\t%s\t%s\n", what, cell("apache"), cell("embedded"), ratio)
	}
}
