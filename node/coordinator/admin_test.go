package coordinator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kdrill/testdata/freeport"
)

// fetch is the body of a page.
func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v\n%s", url, response.Status, err, b)
	}
	return string(b)
}

// withPorts starts three nodes that each get a line of configuration with a free port of their own, and returns the
// leader with its port.
func withPorts(t *testing.T, line string, settings ...string) (leader *process, port int) {
	ports := freeport.Find(t, 3)
	e := newEnsemble(t, 3, settings...)
	for i, p := range e.nodes {
		path := filepath.Join(p.dir, "zoo.cfg")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, string(b)+fmt.Sprintf(line, ports[i]))
		p.start()
	}
	for _, p := range e.nodes {
		p.serving()
	}
	leader = e.leader()
	return leader, ports[leader.id-1]
}

// The admin server has the fields that Apache's has in testdata/admin, of the same types. Of its monitor it has those
// that are not about the JVM or about how Apache works inside.
func TestTheAdminServersAnswersHaveApachesFields(t *testing.T) {
	leader, port := withPorts(t, "admin.serverPort=%d\n")
	client(t, time.Minute, leader.client)
	files, err := filepath.Glob("testdata/admin/*.json")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			recorded, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want, got map[string]any
			if err := json.Unmarshal(recorded, &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(fetch(t, fmt.Sprintf("http://127.0.0.1:%d/commands/%s", port, name))), &got); err != nil {
				t.Fatal(err)
			}
			if name == "monitor" {
				want, got = got, want
			}
			compareFields(t, "", want, got)
		})
	}
	if page := fetch(t, fmt.Sprintf("http://127.0.0.1:%d/commands", port)); !strings.Contains(page, `href="/commands/monitor"`) {
		t.Errorf("no links:\n%s", page)
	}
	if answer := fetch(t, fmt.Sprintf("http://127.0.0.1:%d/commands/nonsense", port)); !strings.Contains(answer, "Unknown command: nonsense") {
		t.Error(answer)
	}
	for _, alias := range []string{"mntr", "srvr", "cons", "conf", "lead"} {
		if answer := fetch(t, fmt.Sprintf("http://127.0.0.1:%d/commands/%s", port, alias)); !strings.Contains(answer, `"error": null`) {
			t.Errorf("%s: %s", alias, answer)
		}
	}
}

// keyed are objects whose keys are data.
var keyed = map[string]bool{"current_config": true, "expiry_time_to_session_ids": true}

func compareFields(t *testing.T, at string, want, got map[string]any) {
	for key, value := range want {
		have, ok := got[key]
		if !ok {
			t.Errorf("no %s%s", at, key)
			continue
		}
		if fmt.Sprintf("%T", have) != fmt.Sprintf("%T", value) && value != nil && have != nil {
			t.Errorf("%s%s is %v, Apache has %v", at, key, have, value)
		}
		if object, ok := value.(map[string]any); ok && !keyed[key] {
			compareFields(t, key+".", object, have.(map[string]any))
		}
	}
}

func TestPrometheusReadsTheMetricsOfANode(t *testing.T) {
	leader, port := withPorts(t, "metricsProvider.httpPort=%d\n", "metricsProvider.className="+prometheusProvider)
	c, _ := client(t, time.Minute, leader.client)
	must[string](t)(c.Create("/seen", nil, 0, anyone))
	page := fetch(t, fmt.Sprintf("http://127.0.0.1:%d/metrics", port))
	for _, want := range []string{"\nznode_count 6\n", "\nglobal_sessions 1\n", "\nquorum_size 3\n", "# TYPE synced_followers gauge", "\ngo_goroutines "} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

func TestWatchesAreListedByClientAndByPath(t *testing.T) {
	e := startEnsemble(t, 1)
	p := e.nodes[0]
	a := dial(t, p.client)
	session := hexID(a.connect(time.Minute).Session)
	for _, path := range []string{"/one", "/two"} {
		a.read(path)
	}
	if got, want := p.word("wchc"), session+"\n\t/one\n\t/two\n\n"; got != want {
		t.Errorf("wchc %q, want %q", got, want)
	}
	if got, want := p.word("wchp"), "/one\n\t"+session+"\n/two\n\t"+session+"\n\n"; got != want {
		t.Errorf("wchp %q, want %q", got, want)
	}
	if got := p.word("crst"); got != "Connection stats reset.\n" {
		t.Errorf("crst %q", got)
	}
	if got := p.word("gtmk") + p.word("stmk\x00\x00\x00\x00\x00\x00\x00\x09") + p.word("gtmk") + p.word("hash"); got != "30699" {
		t.Errorf("trace masks %q", got)
	}
	if got := p.word("dirs"); !strings.HasPrefix(got, "datadir_size: ") {
		t.Errorf("dirs %q", got)
	}
}

func TestSyncsThatTakeLongAreCounted(t *testing.T) {
	for setting, some := range map[string]bool{"fsync.warningthresholdms=-1": true, "fsync.warningthresholdms=600000": false} {
		port := freeport.One(t)
		e := startEnsemble(t, 1, setting, fmt.Sprintf("admin.serverPort=%d", port))
		c := dial(t, e.nodes[0].client)
		c.connect(time.Minute)
		c.create("/a", 0)
		var answer struct {
			Stats struct {
				Count int `json:"fsync_threshold_exceed_count"`
			} `json:"server_stats"`
		}
		if err := json.Unmarshal([]byte(fetch(t, fmt.Sprintf("http://127.0.0.1:%d/commands/stats", port))), &answer); err != nil {
			t.Fatal(err)
		}
		if count := answer.Stats.Count; (count > 0) != some {
			t.Errorf("%s: %d", setting, count)
		}
	}
}
