package cluster

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"kdrill/cluster/apache"
)

// Embedded is the engine whose nodes are this program. Other engines are distributions of Apache Kafka by name, such as
// apache-3.9.1.
const Embedded = "embedded"

// engine turns a description of a node into what is started for it.
type engine interface {
	plan(s *Spec, n Node, folder string) plan
}

// embedded nodes run the cluster's own copy of this program.
type embedded struct{ program string }

// openEngine finds an engine by name for the cluster in dir.
func openEngine(stateDir, dir, name string) (engine, error) {
	if name == Embedded {
		return embedded{program(dir)}, nil
	}
	d, err := Engines(stateDir).Get(name)
	if err != nil {
		return nil, err
	}
	java, err := apache.JavaPath()
	return jvm{d, java}, err
}

// Engines are the distributions of Apache Kafka that the user of a state directory has added.
func Engines(stateDir string) apache.Store {
	return apache.NewStore(filepath.Join(stateDir, ".engines"))
}

// EngineOf is what the nodes of a role run.
func (s *Spec) EngineOf(role Role) string {
	if name, ok := s.Engines[role]; ok {
		return name
	}
	return s.Engine
}

// engines lists what the cluster needs, each once.
func (s *Spec) engines() []string {
	all := []string{s.EngineOf(Broker), s.EngineOf(s.quorumRole())}
	if len(s.Role(s.quorumRole())) == 0 {
		all = all[:1]
	}
	return slices.Compact(all)
}

// engineLabel names the engines in one word, or what differs by role.
func (s *Spec) engineLabel() string {
	all := s.engines()
	if len(all) == 1 {
		return all[0]
	}
	return fmt.Sprintf("%ss %s, %ss %s", Broker, all[0], s.quorumRole(), all[1])
}

// grace is how long a node may take to stop before it is killed: a JVM needs longer.
func (s *Spec) grace() time.Duration {
	grace := s.Timing.grace()
	if s.RunsApache() {
		grace = max(grace, 20*time.Second)
	}
	return grace
}

// RunsApache says whether any node is a JVM.
func (s *Spec) RunsApache() bool { return slices.ContainsFunc(s.engines(), isApache) }

func isApache(engine string) bool { return strings.HasPrefix(engine, "apache-") }

var validEngine = regexp.MustCompile(`^(embedded|apache-\d+\.\d+\.\d+(-[A-Za-z0-9]+)?)$`)

// checkEngines says what is wrong with the choice of engines, as far as the spec alone shows it.
func (s *Spec) checkEngines() (errs []error) {
	for _, name := range s.engines() {
		if !validEngine.MatchString(name) {
			errs = append(errs, fmt.Errorf("engine %q: must be %s or a distribution such as apache-3.9.1 (kdrill engine list)", name, Embedded))
		}
		if name == Embedded && s.mode() == KRaft {
			errs = append(errs, fmt.Errorf("mode %s: %s nodes keep their metadata in ZooKeeper: use an Apache engine", KRaft, Embedded))
		}
		if validEngine.MatchString(name) && isApache(name) && s.mode() == ZooKeeper && !strings.HasPrefix(name, "apache-3.") {
			errs = append(errs, fmt.Errorf("engine %s has no ZooKeeper mode: use --mode kraft, or a Kafka 3.9", name))
		}
	}
	if s.mode() == KRaft && len(s.engines()) > 1 {
		errs = append(errs, fmt.Errorf("engines %s: in %s mode all nodes run one engine", strings.Join(s.engines(), ", "), KRaft))
	}
	if s.mode() != ZooKeeper && s.mode() != KRaft {
		errs = append(errs, fmt.Errorf("mode %q: must be %s or %s", s.Mode, ZooKeeper, KRaft))
	}
	if _, err := parseHeap(s.Heap); err != nil {
		errs = append(errs, err)
	}
	return errs
}
