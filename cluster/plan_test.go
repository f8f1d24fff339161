package cluster

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func trialSpec(coordinators, brokers int, timing Timing) Spec {
	s := NewSpec("trial", coordinators, brokers, timing)
	err := choosePorts(&s, nil, func(port int) (int, error) { return port, nil }, func(int) {})
	if err != nil {
		panic(err)
	}
	return s
}

func TestFilesOfABroker(t *testing.T) {
	s := trialSpec(3, 3, Brisk)
	n, _ := s.Node("broker-2")
	p := embedded{}.plan(&s, n, "/state/broker-2")
	want := `# Written by kdrill at every start of the node: put changes under settings: in cluster.yaml.
broker.id=2
listeners=PLAINTEXT://127.0.0.1:9093
log.dirs=/state/broker-2/data
zookeeper.connect=127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183
default.replication.factor=3
min.insync.replicas=1
offsets.topic.replication.factor=3
offsets.topic.num.partitions=50
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
zookeeper.session.timeout.ms=2000
replica.lag.time.max.ms=3000
`
	if len(p.files) != 1 || p.files[0].name != "server.properties" || !strings.HasPrefix(p.files[0].text, want) {
		t.Errorf("got %+v\nwant %s…", p.files, want)
	}
	if args := []string{"node", "broker", "--config", "/state/broker-2/server.properties"}; !slices.Equal(p.args, args) {
		t.Errorf("args %q", p.args)
	}
}

func TestFilesOfACoordinator(t *testing.T) {
	s := trialSpec(3, 1, Brisk)
	n, _ := s.Node("coordinator-3")
	p := embedded{}.plan(&s, n, "/state/coordinator-3")
	want := `# Written by kdrill at every start of the node: put changes under settings: in cluster.yaml.
tickTime=500
initLimit=10
syncLimit=5
dataDir=/state/coordinator-3/data
clientPort=2183
clientPortAddress=127.0.0.1
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=ruok, srvr, stat, mntr, cons, dump, wchs
server.1=127.0.0.1:2888:3888
server.2=127.0.0.1:2889:3889
server.3=127.0.0.1:2890:3890
`
	if p.files[0] != (file{"zoo.cfg", want}) || p.files[1] != (file{"data/myid", "3\n"}) {
		t.Errorf("got %+v\nwant %s", p.files, want)
	}
}

func TestApacheTimingWritesApachesDefaults(t *testing.T) {
	s := trialSpec(1, 1, Apache)
	broker := brokerConfig(&s, s.Role(Broker)[0], "").values
	coordinator := coordinatorConfig(&s, s.Role(Coordinator)[0], "").values
	for key, want := range map[string]string{
		"zookeeper.session.timeout.ms": "18000", "replica.lag.time.max.ms": "30000", "group.initial.rebalance.delay.ms": "3000",
		"leader.imbalance.check.interval.seconds": "300", "offsets.topic.replication.factor": "1", "transaction.state.log.min.isr": "1",
	} {
		if broker[key] != want {
			t.Errorf("%s=%s, want %s", key, broker[key], want)
		}
	}
	if coordinator["tickTime"] != "2000" {
		t.Errorf("tickTime=%s", coordinator["tickTime"])
	}
	if _, ok := coordinator["server.1"]; ok {
		t.Error("one coordinator alone runs standalone, without server lines")
	}
}

// A session that a coordinator would cut down or stretch is not the one that the console counts down.
func TestSessionsOfBothProfilesAreWithinTheTicks(t *testing.T) {
	for _, timing := range []Timing{Brisk, Apache} {
		s := trialSpec(1, 1, timing)
		tick := map[Timing]int64{Brisk: 500, Apache: 2000}[timing]
		if millis := s.session().Milliseconds(); millis < 2*tick || millis > 20*tick {
			t.Errorf("%s: session of %d ms with ticks of %d ms", timing, millis, tick)
		}
		if got := brokerConfig(&s, s.Role(Broker)[0], "").values["zookeeper.session.timeout.ms"]; got != fmt.Sprint(s.session().Milliseconds()) {
			t.Errorf("%s: the status says %s, the file %s ms", timing, s.session(), got)
		}
	}
}

func TestSettingsOfTheUserWin(t *testing.T) {
	s := trialSpec(1, 1, Brisk)
	s.Settings = map[Role]map[string]string{Broker: {
		"zookeeper.session.timeout.ms": "6000", "log.retention.hours": "1", "ssl.keystore.location": `C:\keys`,
	}}
	text := brokerConfig(&s, s.Role(Broker)[0], "").String()
	for _, line := range []string{"zookeeper.session.timeout.ms=6000\n", "log.retention.hours=1\n", `ssl.keystore.location=C:\\keys` + "\n"} {
		if strings.Count(text, line) != 1 {
			t.Errorf("%q is not there once:\n%s", line, text)
		}
	}
	if strings.Contains(text, "=2000\n") || s.session().Seconds() != 6 {
		t.Errorf("session %s\n%s", s.session(), text)
	}
}

func TestSpecSaysWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Spec)
		want   string
	}{
		"name":        {func(s *Spec) { s.Name = "../x" }, `cluster name "../x"`},
		"engine":      {func(s *Spec) { s.Engine = "apache" }, `engine "apache"`},
		"timing":      {func(s *Spec) { s.Timing = "slow" }, `timing "slow": must be brisk or apache`},
		"restart":     {func(s *Spec) { s.Restart = "never" }, `restart policy "never"`},
		"no brokers":  {func(s *Spec) { s.Nodes = s.Role(Coordinator) }, "0 brokers"},
		"odd name":    {func(s *Spec) { s.Nodes[0].Name = "zk" }, `node "zk"`},
		"twice":       {func(s *Spec) { s.Nodes[1] = s.Nodes[0] }, "is there twice"},
		"wild port":   {func(s *Spec) { s.Nodes[0].Port = 70000 }, "port 70000"},
		"shared port": {func(s *Spec) { s.Nodes[1].Port = s.Nodes[0].Quorum }, "port 2888 is that of coordinator-1"},
	} {
		s := trialSpec(3, 3, Brisk)
		c.change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := trialSpec(3, 3, Brisk)
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}

func TestSpecSurvivesItsFile(t *testing.T) {
	dir := t.TempDir() + "/trial"
	c, err := Create(strings.TrimSuffix(dir, "/trial"), trialSpec(3, 3, Brisk))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Spec()
	if err != nil {
		t.Fatal(err)
	}
	if want := trialSpec(3, 3, Brisk); got.Restart != want.Restart || !slices.Equal(got.Nodes, want.Nodes) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := Create(strings.TrimSuffix(dir, "/trial"), trialSpec(1, 1, Brisk)); !errors.Is(err, ErrExists) {
		t.Errorf("a second one: %v", err)
	}
}

func TestPortsAreChosen(t *testing.T) {
	for name, c := range map[string]struct {
		used, others []int
		brokers      []int
		clients      []int
	}{
		"the usual ones":            {nil, nil, []int{9092, 9093, 9094}, []int{2181, 2182, 2183}},
		"one of a row is in use":    {[]int{9093}, nil, []int{9192, 9193, 9194}, []int{2281, 2282, 2283}},
		"another cluster keeps one": {nil, []int{2181}, []int{9192, 9193, 9194}, []int{2281, 2282, 2283}},
		"every row is in use":       {[]int{9092, 9192, 9292, 9392, 9492, 9592, 9692, 9792, 9892, 9992}, nil, []int{20000, 20001, 20002}, []int{2181, 2182, 2183}},
	} {
		held, any := map[int]bool{}, 20000
		for _, p := range c.used {
			held[p] = true
		}
		before := maps.Clone(held)
		claim := func(port int) (int, error) {
			if port == 0 {
				port = any
				any++
			}
			if held[port] {
				return 0, errors.New("in use")
			}
			held[port] = true
			return port, nil
		}
		taken := map[int]bool{}
		for _, p := range c.others {
			taken[p] = true
		}
		s := NewSpec("trial", 3, 3, Brisk)
		if err := choosePorts(&s, taken, claim, func(p int) { delete(held, p) }); err != nil {
			t.Fatal(err)
		}
		var brokers, clients []int
		for i := range s.Nodes {
			n := &s.Nodes[i]
			for _, p := range n.ports() {
				if !held[*p] || before[*p] {
					t.Errorf("%s: %s has port %d, which is not claimed for it", name, n.Name, *p)
				}
			}
			if n.Role == Broker {
				brokers = append(brokers, n.Port)
			} else {
				clients = append(clients, n.Port)
			}
		}
		if !slices.Equal(brokers, c.brokers) || !slices.Equal(clients, c.clients) {
			t.Errorf("%s: %v %v, want %v %v", name, brokers, clients, c.brokers, c.clients)
		}
		if want := len(before) + 3 + 9; len(held) != want {
			t.Errorf("%s: %d ports are held, want %d", name, len(held), want)
		}
	}
}

func TestClaimedPortsAreInUseUntilTheyAreReleased(t *testing.T) {
	mine, other := newReservation(), newReservation()
	defer mine.close()
	defer other.close()
	port, err := mine.claim(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.claim(port); err == nil {
		t.Errorf("port %d is claimed twice", port)
	}
	mine.release(Node{Role: Broker, Port: port})
	l, err := bind(port)
	if err != nil {
		t.Fatalf("released port %d: %v", port, err)
	}
	l.Close()
	if _, err := other.claim(port); runtime.GOOS == "linux" && err == nil {
		t.Errorf("port %d is taken before the node listens on it", port)
	}
	mine.giveUp(port)
	if _, err := other.claim(port); err != nil {
		t.Errorf("port %d that was given up: %v", port, err)
	}
}

func TestANewClusterLeavesTheNeighboursOfAnotherAlone(t *testing.T) {
	claim := func(port int) (int, error) {
		if port == 2183 { // of a cluster whose only broker, and whose first two coordinators, are down
			return 0, errors.New("in use")
		}
		return port, nil
	}
	s := NewSpec("small", 1, 1, Brisk)
	if err := choosePorts(&s, nil, claim, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"127.0.0.1:9192"}; !slices.Equal(s.Bootstrap(), want) || s.ZooKeeper() != "127.0.0.1:2281" {
		t.Errorf("%v %s", s.Bootstrap(), s.ZooKeeper())
	}
}

func TestPortsAreAsFarFromTheUsualOnesAsTheFirst(t *testing.T) {
	ports := func(s Spec) string {
		s.PlacePorts(10_092)
		var all []int
		for i := range s.Nodes {
			for _, port := range s.Nodes[i].ports() {
				all = append(all, *port)
			}
		}
		return fmt.Sprint(all)
	}
	for name, c := range map[string]struct {
		spec Spec
		want string
	}{
		"zookeeper":            {NewSpec("a", 2, 2, Brisk), "[3181 3888 4888 3182 3889 4889 10092 10093]"},
		"kraft":                {NewKRaftSpec("a", 1, 2, Brisk), "[20092 10092 10093]"},
		"kraft within brokers": {NewKRaftSpec("a", 0, 2, Brisk), "[10092 20092 10093 20093]"},
	} {
		if got := ports(c.spec); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
