package settings

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/config"
)

// load reads properties that follow the least a broker needs, which are lines 1 and 2.
// load reads properties as a broker does that ZooKeeper has nothing for.
func load(t testing.TB, lines ...string) (*Settings, error) {
	t.Helper()
	s, err := loaded(t, lines...)
	if err != nil {
		return nil, err
	}
	return s, s.Begin(s.Values)
}

func loaded(t testing.TB, lines ...string) (*Settings, error) {
	t.Helper()
	text := "broker.id=1\nzookeeper.connect=zoo1:2181,zoo2\n" + strings.Join(lines, "\n") + "\n"
	file, err := config.Parse("server.properties", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return read(file)
}

func TestApachesDefaultsHold(t *testing.T) {
	s, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%d %v %v %v %v %s", s.BrokerID, s.Listeners, s.Advertised, s.LogDirs, s.ZooKeeper, s.InterBrokerListener)
	want := "1 [{PLAINTEXT PLAINTEXT  9092}] [{PLAINTEXT PLAINTEXT localhost 9092}] [/tmp/kafka-logs] {[zoo1:2181 zoo2:2181]  18s 18s} PLAINTEXT"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s.Int("num.partitions") != 1 || s.Millis("replica.lag.time.max.ms") != 30*time.Second || !s.Bool("auto.create.topics.enable") {
		t.Error("num.partitions, replica.lag.time.max.ms or auto.create.topics.enable is not Apache's")
	}
}

func TestWrongPropertiesAreNamedWithFileAndLine(t *testing.T) {
	for line, want := range map[string]string{
		"num.partitons=3":                              "server.properties:3: num.partitons: unknown",
		"num.partitions=many":                          `server.properties:3: num.partitions: "many" is not a whole number`,
		"num.partitions=0":                             "server.properties:3: num.partitions: 0 is less than 1",
		"auto.create.topics.enable=yes":                `"yes" is neither true nor false`,
		"log.cleanup.policy=compact,shred":             `"shred" is none of compact, delete`,
		"log.cleaner.min.cleanable.ratio=1.5":          "1.5 is more than 1",
		"listeners=127.0.0.1:9092":                     "is not NAME://host:port",
		"listeners=PLAINTEXT://127.0.0.1:kafka":        `"kafka" is not a port`,
		"listeners=SSL://127.0.0.1:9092":               "a listener with SSL needs a certificate",
		"listeners=SASL_PLAINTEXT://127.0.0.1:9092":    "sasl.enabled.mechanisms: GSSAPI is not supported",
		"listener.name.a.colour=red":                   "listener.name.a.colour: unknown",
		"listener.name.a.ssl.client.auth=maybe":        `"maybe" is none of required, requested, none`,
		"listener.security.protocol.map=PLAINTEXT:TLS": `"TLS" of listener PLAINTEXT is none of PLAINTEXT, SSL`,
		"listeners=MINE://127.0.0.1:9092":              "MINE is not in listener.security.protocol.map",
		"listeners=":                                   "names no listener",
		"advertised.listeners=OTHER://h:1":             "OTHER is not in listener.security.protocol.map",
		"inter.broker.listener.name=INTERNAL":          "no advertised listener is named INTERNAL",
		"zookeeper.session.timeout.ms=0":               "must be more than 0",
		"broker.id=-5":                                 "broker.id is set again",
		"log.dirs=/a,/b,/a":                            "/a is there twice",
		"log.dirs= , ":                                 "names no directory",
		"listener.security.protocol.map=A:PLAINTEXT":   "PLAINTEXT is not in listener.security.protocol.map",
		"listeners=PLAINTEXT://:1,PLAINTEXT://:2":      "listener PLAINTEXT is there twice",
		"unclean.leader.election.enable=":              `"" is neither true nor false`,
		"replica.lag.time.max.ms=99999999999999999999": "is not a whole number of 64 bits",
		"offsets.topic.replication.factor=70000":       "is not a whole number of 16 bits",
		"replica.selector.class=MySelector":            `"MySelector": there is only org.apache.kafka.common.replica.RackAwareReplicaSelector`,
		"kdrill.http.listener=9404":                    `"9404" is not host:port`,
		"kdrill.http.listener=:many":                   `"many" is not a port`,
		"message.max.bytes=1 MB":                       "is not a whole number",
		"controlled.shutdown.max.retries=3.5":          "is not a whole number",
		"log.message.timestamp.type=LogTime":           `"LogTime" is none of CreateTime, LogAppendTime`,
		"security.inter.broker.protocol=TLS":           `"TLS" is none of PLAINTEXT, SSL`,
		"reserved.broker.max.id=0":                     "broker.id: must not be more than reserved.broker.max.id",
		"log.retention.hours=0":                        "log.retention.ms: must be 1 or more",
		"log.roll.ms=0":                                "log.roll.ms: must be 1 or more",
		"log.roll.jitter.ms=-1":                        "log.roll.jitter.ms: must be 0 or more",
		"log.cleaner.threads=200":                      "log.cleaner.dedupe.buffer.size: must be more than 1 MiB for each",
		"replica.socket.timeout.ms=400":                "replica.fetch.wait.max.ms: must not be more than replica.socket.timeout.ms",
		"replica.lag.time.max.ms=400":                  "must not be more than replica.lag.time.max.ms",
		"queued.max.request.bytes=1000":                "must not be less than socket.request.max.bytes",
		"max.connections.per.ip=0":                     "goes with max.connections.per.ip.overrides only",
		"connections.max.idle.ms=100":                  "connection.failed.authentication.delay.ms: must be less than connections.max.idle.ms",
		"listeners=PLAINTEXT://0.0.0.0:9092":           "advertised.listeners: 0.0.0.0 of listener PLAINTEXT is no address that others can reach",
	} {
		_, err := load(t, line)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	file, err := config.Parse("server.properties", []byte("num.partitions=0\ncolour=red\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = read(file)
	for _, want := range []string{"num.partitions", "colour: unknown", "broker.id is missing", "zookeeper.connect is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
}

func TestWhatIsKnownButNotUsedIsReported(t *testing.T) {
	s, err := load(t, "num.io.threads=8", "num.partitions=2", "listener.name.plaintext.connections.max.reauth.ms=5", "listener.name.plaintext.ssl.provider=x", "log.dirs=/a,/b")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Unused(), " "); got != "listener.name.plaintext.ssl.provider num.io.threads" {
		t.Errorf("unused: %s", got)
	}
	if fmt.Sprint(s.LogDirs) != "[/a /b]" {
		t.Errorf("log directories %s", s.LogDirs)
	}
}

// What changes what a broker does is documented, by a sentence of its own or by that of the topic's configuration. Of
// the rest there is nothing to say.
func TestWhatIsUsedIsDocumented(t *testing.T) {
	table, defaults := Broker(), map[string]bool{}
	for _, d := range Topic() {
		defaults[d.Broker] = true
	}
	for name, own := range used() {
		d, ok := table.Find(name)
		switch {
		case !ok:
			t.Errorf("%s is used, but Apache has no such property", name)
		case d.Doc == "":
			t.Errorf("%s is used, and nothing says what it is", name)
		case own != "" && defaults[name]:
			t.Errorf("%s is documented twice", name)
		case !strings.HasSuffix(d.Doc, ".") && !strings.HasSuffix(d.Doc, "…"):
			t.Errorf("%s: %q is no sentence", name, d.Doc)
		}
	}
	for _, d := range slices.Concat(table, throttles()) {
		_, ok := used()[d.Name]
		_, throttle := throttles().Find(d.Name)
		if documented := d.Doc != ""; documented != (ok || throttle || defaults[d.Name]) {
			t.Errorf("%s: documented %v, used %v", d.Name, documented, ok)
		}
	}
}

func TestListenersAndChroot(t *testing.T) {
	file, err := config.Parse("server.properties", []byte(`broker.id=3
listeners=INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.1:9094
advertised.listeners=INSIDE://localhost:0,OUTSIDE://example.org:19094
listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT
inter.broker.listener.name=INSIDE
zookeeper.connect=[::1]:2181,zoo:2182/kafka/one/
`))
	if err != nil {
		t.Fatal(err)
	}
	s, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	s.Bound("INSIDE", 4242)
	if s.Listeners[0].Address() != "127.0.0.1:4242" || s.Advertised[0].Address() != "localhost:4242" || s.Advertised[1].Port != 19094 {
		t.Errorf("listeners %v, advertised %v", s.Listeners, s.Advertised)
	}
	if got := fmt.Sprintf("%v %s", s.ZooKeeper.Servers, s.ZooKeeper.Chroot); got != "[[::1]:2181 zoo:2182] /kafka/one" {
		t.Errorf("ZooKeeper %s", got)
	}
}

func TestATopicTakesItsDefaultsFromTheBroker(t *testing.T) {
	s, err := load(t, "log.retention.hours=2", "log.roll.ms=1000", "log.roll.hours=9", "min.insync.replicas=2")
	if err != nil {
		t.Fatal(err)
	}
	if s.TopicInt("retention.ms") != 7_200_000 || s.TopicInt("segment.ms") != 1000 || s.TopicInt("segment.bytes") != 1<<30 {
		t.Errorf("retention.ms %d, segment.ms %d", s.TopicInt("retention.ms"), s.TopicInt("segment.ms"))
	}
	entries := s.DescribeTopic(map[string]string{"min.insync.replicas": "3"})
	i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == "min.insync.replicas" })
	e := entries[i]
	if *e.Value != "3" || e.Source != kmsg.ConfigSourceDynamicTopicConfig || len(e.Synonyms) != 3 || *e.Synonyms[1].Value != "2" || *e.Synonyms[2].Value != "1" {
		t.Errorf("%+v", e)
	}
	if len(entries) != len(Topic()) || len(s.DescribeBroker()) != len(Broker()) {
		t.Error("a configuration is missing from the description")
	}
}

// As Kafka describes it, what has no default lists none, nor does what only topics have.
func TestNothingIsListedThatGivesNoValue(t *testing.T) {
	s, err := load(t, "broker.rack=r1")
	if err != nil {
		t.Fatal(err)
	}
	broker := s.DescribeBroker()
	for name, want := range map[string]int{"log.retention.ms": 0, "ssl.key.password": 0, "broker.rack": 1, "num.io.threads": 1} {
		e := broker[slices.IndexFunc(broker, func(e Entry) bool { return e.Name == name })]
		if len(e.Synonyms) != want || want == 0 && (e.Value != nil || e.Source != kmsg.ConfigSourceDefaultConfig) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	const only = "leader.replication.throttled.replicas"
	for _, overrides := range []map[string]string{nil, {only: "*"}} {
		topic := s.DescribeTopic(overrides)
		e := topic[slices.IndexFunc(topic, func(e Entry) bool { return e.Name == only })]
		if len(e.Synonyms) != len(overrides) || e.Value == nil || *e.Value != overrides[only] {
			t.Errorf("%s with %v: %+v", only, overrides, e)
		}
	}
}

func TestListenersHaveTheirOwnLimits(t *testing.T) {
	const own = "listener.name.plaintext.max.connections"
	s, err := load(t, "max.connections=100", own+"=10")
	if err != nil {
		t.Fatal(err)
	}
	v, wrong := s.With(map[string]string{own: "20", "listener.name.plaintext.no.such": "x"}, map[string]string{own: "30", "max.connections": "200"})
	for i, want := range []int64{s.ListenerInt("PLAINTEXT", "max.connections"), v.ListenerInt("PLAINTEXT", "max.connections"), v.ListenerInt("OTHER", "max.connections")} {
		if want != []int64{10, 20, 200}[i] {
			t.Errorf("limit %d is %d", i, want)
		}
	}
	for i, want := range []string{"no property of a listener has this name", "set it for each broker, not for all"} {
		if len(wrong) != 2 || !strings.Contains(wrong[i].Error(), want) {
			t.Errorf("refused %v, want %s", wrong, want)
		}
	}
	for _, name := range []string{own, "max.connections", "max.connection.creation.rate"} {
		if err := s.CheckDynamic(name, "0", false); err == nil || !strings.Contains(err.Error(), "nobody could connect") {
			t.Errorf("%s=0: %v", name, err)
		}
	}
	entries := v.DescribeBroker()
	e := entries[slices.IndexFunc(entries, func(e Entry) bool { return e.Name == own })]
	if *e.Value != "20" || e.Source != kmsg.ConfigSourceDynamicBrokerConfig || e.ReadOnly {
		t.Errorf("described as %+v", e)
	}
	var synonyms []string
	for _, s := range e.Synonyms {
		synonyms = append(synonyms, fmt.Sprint(s.Source, " ", s.Name, "=", *s.Value))
	}
	if want := []string{
		"DYNAMIC_BROKER_CONFIG " + own + "=20", "DYNAMIC_DEFAULT_BROKER_CONFIG max.connections=200", "STATIC_BROKER_CONFIG " + own + "=10",
		"STATIC_BROKER_CONFIG max.connections=100", "DEFAULT_CONFIG max.connections=2147483647",
	}; !slices.Equal(synonyms, want) {
		t.Errorf("got %s\nwant %s", synonyms, want)
	}
	if _, err := load(t, "max.connections.per.ip.overrides=10.0.0.1:5,10.0.0.2"); err == nil || !strings.Contains(err.Error(), `"10.0.0.2" is not host:number`) {
		t.Errorf("an override without a number: %v", err)
	}
}

func TestWhatZooKeeperSetsWinsOverTheFile(t *testing.T) {
	s, err := load(t, "log.retention.hours=2", "min.insync.replicas=2", "num.replica.fetchers=3")
	if err != nil {
		t.Fatal(err)
	}
	v, wrong := s.With(
		map[string]string{"log.retention.ms": "300000", "num.partitions": "9", "min.insync.replicas": "none"},
		map[string]string{"log.retention.ms": "1000", "min.insync.replicas": "4", LeaderThrottle: "1048576", "color": "red"})
	if v.TopicInt("retention.ms") != 300_000 || v.Int("min.insync.replicas") != 4 || v.Int("num.replica.fetchers") != 3 || v.Int(LeaderThrottle) != 1<<20 || v.Int("num.partitions") != 1 {
		t.Errorf("retention.ms %d, min.insync.replicas %d, throttle %d", v.TopicInt("retention.ms"), v.Int("min.insync.replicas"), v.Int(LeaderThrottle))
	}
	for i, want := range []string{"invalid value none for configuration min.insync.replicas", "num.partitions cannot be updated dynamically", "color is not known here"} {
		if len(wrong) != 3 || !strings.Contains(wrong[i].Error(), want) {
			t.Errorf("refused %v, want %s", wrong, want)
		}
	}
	entries := v.DescribeTopic(nil)
	e := entries[slices.IndexFunc(entries, func(e Entry) bool { return e.Name == "retention.ms" })]
	var got []string
	for _, s := range e.Synonyms {
		got = append(got, fmt.Sprint(s.Name, "=", *s.Value, " ", s.Source))
	}
	if want := "log.retention.ms=300000 DYNAMIC_BROKER_CONFIG, log.retention.ms=1000 DYNAMIC_DEFAULT_BROKER_CONFIG, log.retention.hours=7200000 STATIC_BROKER_CONFIG, log.retention.ms=604800000 DEFAULT_CONFIG"; strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	if got := len(v.DescribeBroker()) - len(s.DescribeBroker()); got != 1 { // the throttle
		t.Errorf("%d entries more", got)
	}
	for _, name := range dynamic() {
		if _, ok := Broker().Find(name); !ok {
			t.Errorf("%s is no property of a broker", name)
		}
	}
	if s.Int("min.insync.replicas") != 2 || len(v.DescribeDefault()) != 3 {
		t.Error("With changed what it was called on, or keeps too much")
	}
	for _, e := range entries {
		if e.Doc == "" {
			t.Errorf("%s is not documented", e.Name)
		}
	}
}

func TestWhatARunningBrokerCannotBecome(t *testing.T) {
	s, err := load(t, "log.cleaner.threads=4", "num.network.threads=5")
	if err != nil {
		t.Fatal(err)
	}
	now, _ := s.With(map[string]string{"num.io.threads": "10"}, map[string]string{"background.threads": "8"})
	for _, test := range []struct {
		name, value string
		want        string // empty if it can
	}{
		{"num.io.threads", "20", ""},
		{"num.io.threads", "5", ""},
		{"num.io.threads", "21", "it is 10 now, which can change to 5 to 20 at once"},
		{"num.io.threads", "4", "5 to 20"},
		{"num.network.threads", "2", ""},
		{"num.network.threads", "11", "2 to 10"},
		{"num.replica.fetchers", "3", "1 to 2"},
		{"num.recovery.threads.per.data.dir", "2", ""},
		{"background.threads", "3", "4 to 16"},
		{"log.cleaner.threads", "0", "2 to 8"},
		{"log.cleaner.dedupe.buffer.size", "4194304", "must be more than 1 MiB for each of log.cleaner.threads"},
		{"max.connections.per.ip", "0", "goes with max.connections.per.ip.overrides only"},
		{"log.retention.ms", "0", "must be 1 or more, or -1"},
		{"log.retention.ms", "-1", ""},
		{"compression.type", "zstd", ""},
	} {
		given := map[string]string{"num.io.threads": "10"}
		given[test.name] = test.value
		if err := now.CheckChange(now.After(false, given)); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s=%s: %v, want %q", test.name, test.value, err, test.want)
		}
	}
	if err := now.CheckChange(now.After(true, map[string]string{"background.threads": "17"})); err == nil || !strings.Contains(err.Error(), "4 to 16") {
		t.Errorf("for all brokers: %v", err)
	}
	for _, name := range []string{"log.retention.hours", "log.retention.minutes", "log.roll.hours", "log.flush.scheduler.interval.ms"} {
		if err := s.CheckDynamic(name, "5", false); err == nil || !strings.Contains(err.Error(), "cannot be updated dynamically") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestThrottledReplicas(t *testing.T) {
	d, _ := Topic().Find("leader.replication.throttled.replicas")
	for value, ok := range map[string]bool{"*": true, "0:1,12:3": true, "": true, "0": false, "a:1": false, "0:1:2": false, "*,0:1": false} {
		if err := d.Check(value); (err == nil) != ok {
			t.Errorf("%q: %v", value, err)
		}
	}
}

func TestEveryDefaultIsAllowed(t *testing.T) {
	for _, d := range append(Broker(), Topic()...) {
		if d.Default == nil || *d.Default == "" {
			continue
		}
		if err := d.Check(*d.Default); err != nil {
			t.Errorf("%s: default %v", d.Name, err)
		}
		if _, ok := Broker().Find(d.Broker); d.Broker != "" && !ok {
			t.Errorf("%s comes from %s, which is no property of a broker", d.Name, d.Broker)
		}
	}
}

func FuzzProperties(f *testing.F) {
	f.Add("listeners=PLAINTEXT://:9092,A://[::1]:1\nadvertised.listeners=,\nlog.dirs=\\\n")
	f.Add("listener.security.protocol.map=:\nzookeeper.connect=/:,\ninter.broker.listener.name=x")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := config.Parse("server.properties", []byte(text))
		if err != nil {
			return
		}
		s, err := read(file)
		if err == nil && (len(s.Listeners) == 0 || len(s.ZooKeeper.Servers) == 0 || len(s.LogDirs) == 0 || s.BrokerID < 0) {
			t.Errorf("accepted %q as %+v", text, s)
		}
	})
}
