package quota

import (
	"testing"
	"time"

	"kdrill/node/layout"
)

func TestTheMostSpecificLimitCounts(t *testing.T) {
	produce := func(rate string) map[string]string {
		return map[string]string{"producer_byte_rate": rate, "SCRAM-SHA-256": "x"}
	}
	all := map[string]map[string]string{
		"users/al%20ice/clients/app":                  produce("1"),
		"users/al%20ice/clients/<default>":            produce("2"),
		"users/al%20ice":                              produce("3"),
		"users/<default>/clients/app":                 produce("4"),
		"users/<default>/clients/<default>":           produce("5"),
		"users/<default>":                             produce("6"),
		"clients/app":                                 produce("7"),
		"clients/<default>":                           produce("8"),
		"users/only-a-credential":                     {"SCRAM-SHA-256": "x"},
		"users/bob/clients/" + layout.Sanitize("a/b"): produce("9.5"),
	}
	without := func(paths ...string) map[string]map[string]string {
		rest := map[string]map[string]string{}
		for path, config := range all {
			rest[path] = config
		}
		for _, p := range paths {
			delete(rest, p)
		}
		return rest
	}
	for _, c := range []struct {
		configs      map[string]map[string]string
		user, client string
		want         Limit
	}{
		{all, "al ice", "app", Limit{1, "al%20ice/app"}},
		{all, "al ice", "other", Limit{2, "al%20ice/other"}},
		{without("users/al%20ice/clients/app", "users/al%20ice/clients/<default>"), "al ice", "app", Limit{3, "al%20ice/"}},
		{all, "carol", "app", Limit{4, "carol/app"}},
		{all, "carol", "other", Limit{5, "carol/other"}},
		{without("users/<default>/clients/app", "users/<default>/clients/<default>"), "carol", "app", Limit{6, "carol/"}},
		{without("users/<default>/clients/app", "users/<default>/clients/<default>", "users/<default>"), "carol", "app", Limit{7, "/app"}},
		{without("users/<default>/clients/app", "users/<default>/clients/<default>", "users/<default>", "clients/app"), "carol", "app", Limit{8, "/app"}},
		{all, "bob", "a/b", Limit{9.5, "bob/a%2Fb"}},
	} {
		if got, ok := NewLimits(c.configs).OfClient(Produce, c.user, c.client); !ok || got != c.want {
			t.Errorf("%s with %s: got %v %v, want %v", c.user, c.client, got, ok, c.want)
		}
	}
	if got, ok := NewLimits(all).OfClient(Fetch, "al ice", "app"); ok {
		t.Errorf("fetching is limited to %v", got)
	}
	if got, ok := (*Limits)(nil).OfClient(Produce, "a", "b"); ok {
		t.Errorf("nothing limits to %v", got)
	}
	ips := NewLimits(map[string]map[string]string{"ips/10.0.0.1": {"connection_creation_rate": "3"}, "ips/<default>": {"connection_creation_rate": "5"}})
	for address, want := range map[string]float64{"10.0.0.1": 3, "10.0.0.2": 5} {
		if got, ok := ips.OfAddress(address); !ok || got.Rate != want || got.Shared != address {
			t.Errorf("%s: %v %v", address, got, ok)
		}
	}
}

// TestRates replays amounts at times; the windows are 11 of one second.
func TestRates(t *testing.T) {
	type step struct {
		at     time.Duration
		amount float64
		want   time.Duration
	}
	for _, c := range []struct {
		name  string
		limit float64
		steps []step
	}{
		{"within", 100, []step{{0, 500, 0}, {time.Second, 500, 0}}},
		{"all at once is spread over all windows", 100, []step{{0, 1000, 0}, {0, 1, 10 * time.Millisecond}}},
		{"twice too much", 100, []step{{0, 2000, 10 * time.Second}}},
		{"rest makes up for it", 100, []step{{0, 1500, 5 * time.Second}, {5 * time.Second, 0, 5 * time.Second}, {10 * time.Second, 0, 5 * time.Second}, {11 * time.Second, 0, 0}}},
		{"steadily at the limit", 100, []step{{0, 100, 0}, {time.Second, 100, 0}, {2 * time.Second, 100, 0}, {12 * time.Second, 100, 0}}},
		{"old samples are forgotten", 100, []step{{0, 1000, 0}, {11 * time.Second, 1000, 0}}},
		{"nothing is allowed", 0, []step{{0, 1, 10 * time.Second}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, start := new(meter), time.Unix(1000, 0)
			for i, s := range c.steps {
				if got := m.take(Windows{11, time.Second}, start.Add(s.at), s.amount, c.limit); got.Round(time.Millisecond) != s.want {
					t.Errorf("step %d: rest of %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

func TestWhoSharesALimitRestsTogether(t *testing.T) {
	q, now := New(Windows{11, time.Second}, Windows{11, time.Second}), time.Unix(1000, 0)
	if q.Take(Produce, "a", "x", 1e9, now) != 0 || q.Any() {
		t.Error("a limit without limits")
	}
	q.Set(NewLimits(map[string]map[string]string{"users/a": {"producer_byte_rate": "100", "request_percentage": "50"}}))
	if got := q.Take(Produce, "a", "x", 900, now); got != 0 {
		t.Errorf("rest of %v", got)
	}
	if got := q.Take(Produce, "a", "y", 300, now); got.Round(time.Millisecond) != 2*time.Second {
		t.Errorf("another client of the same user: rest of %v", got)
	}
	if got := q.Take(Produce, "b", "y", 1e9, now); got != 0 {
		t.Errorf("another user: rest of %v", got)
	}
	if got := q.Take(Request, "a", "x", 5000, now); got != time.Second {
		t.Errorf("request time: rest of %v", got)
	}
	if most, limited := q.Most(Produce, "a", "z"); !limited || most != 1000 {
		t.Errorf("at most %v %v", most, limited)
	}
	later := now.Add(2 * idle)
	q.Take(Request, "a", "x", 1, later)
	if len(q.meters) != 1 {
		t.Errorf("%d meters are kept", len(q.meters))
	}
}

func TestChangesOfTopicsAreRefusedWhileTheBucketIsOverdrawn(t *testing.T) {
	q, now := New(Windows{11, time.Second}, Windows{11, time.Second}), time.Unix(1000, 0)
	if rest, taken := q.Mutate("a", "x", 1000, true, now); rest != 0 || !taken {
		t.Errorf("without a limit: %v %v", rest, taken)
	}
	q.Set(NewLimits(map[string]map[string]string{"users/<default>": {"controller_mutation_rate": "2"}}))
	for i, step := range []struct {
		user   string
		after  time.Duration
		count  int
		strict bool
		rest   time.Duration
		taken  bool
	}{
		{"a", 0, 20, true, 0, true}, // 22 were there
		{"a", 0, 6, true, 0, true},  // overdrawn by 4
		{"a", 0, 1, true, 2 * time.Second, false},
		{"b", 0, 22, true, 0, true},
		{"a", time.Second, 1, true, time.Second, false},
		{"a", 2 * time.Second, 1, true, 0, true},
		{"a", 2 * time.Second, 1, false, time.Second, true}, // clients that do not know refusals only rest
	} {
		rest, taken := q.Mutate(step.user, "x", step.count, step.strict, now.Add(step.after))
		if rest != step.rest || taken != step.taken {
			t.Errorf("step %d: %v %v, want %v %v", i, rest, taken, step.rest, step.taken)
		}
	}
}

func TestAThrottleRestsUntilTheRateIsWithinTheLimit(t *testing.T) {
	w := Windows{Count: 11, Size: time.Second}
	start := time.Unix(1000, 0)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	throttle := NewThrottle(w)
	throttle.Note(1<<40, start)
	if rest := throttle.Rest(start); rest != 0 {
		t.Errorf("without a limit: rest %v", rest)
	}
	throttle = NewThrottle(w)
	throttle.SetLimit(100)
	throttle.Note(100, start)
	if rest := throttle.Rest(start); rest != 0 {
		t.Errorf("100 bytes at 100 a second: rest %v", rest)
	}
	throttle.Note(300, at(500*time.Millisecond))
	if rest := throttle.Rest(at(500 * time.Millisecond)); rest != 3*time.Second {
		t.Errorf("400 bytes within a second: rest %v", rest)
	}
	if rest := throttle.Rest(at(4 * time.Second)); rest != 0 {
		t.Errorf("400 bytes after 4 s: rest %v", rest)
	}
	throttle.SetLimit(0)
	if rest := throttle.Rest(at(4 * time.Second)); rest != 7*time.Second {
		t.Errorf("nothing is allowed: rest %v", rest)
	}
	if rate := throttle.Rate(at(11 * time.Second)); rate != 0 {
		t.Errorf("%v bytes a second after all windows passed", rate)
	}
}
