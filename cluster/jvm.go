package cluster

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"kdrill/cluster/apache"
)

// jvm runs nodes of Apache Kafka and ZooKeeper.
type jvm struct {
	distribution apache.Distribution
	java         string // path
}

// The programs of a distribution.
const (
	kafkaMain     = "kafka.Kafka"
	storageMain   = "kafka.tools.StorageTool"
	zookeeperMain = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
)

// plan says which files a node of Apache's needs in its folder and with which arguments its JVM runs.
func (e jvm) plan(s *Spec, n Node, folder string) plan {
	logging, logFile := e.logging(folder)
	virtualMachine := append(s.jvmOptions(n.Role), logging...)
	virtualMachine = append(virtualMachine, "-cp", filepath.Join(e.distribution.Libs, "*"))
	run := func(main string, args ...string) []string {
		return append(append(virtualMachine[:len(virtualMachine):len(virtualMachine)], main), args...)
	}
	p := plan{program: e.java, files: []file{logFile}}
	if n.Role == Coordinator {
		config := filepath.Join(folder, "zoo.cfg")
		p.files = append(p.files, file{"zoo.cfg", coordinatorConfig(s, n, folder).String()}, file{filepath.Join("data", "myid"), strconv.Itoa(n.ID) + "\n"})
		p.args = run(zookeeperMain, config)
		return p
	}
	config := filepath.Join(folder, "server.properties")
	properties := kraftConfig
	if s.mode() == ZooKeeper {
		properties = brokerConfig
	}
	text := properties(s, n, folder)
	if s.mode() == KRaft && !e.distribution.DynamicQuorum() {
		text.set("controller.quorum.voters", "%s", s.staticVoters())
	}
	if _, set := s.Settings[n.Role]["log.cleaner.dedupe.buffer.size"]; !set { // Kafka's default takes half of a small heap
		text.set("log.cleaner.dedupe.buffer.size", "%d", 16<<20)
	}
	p.files = append(p.files, file{"server.properties", text.String()})
	p.args = run(kafkaMain, config)
	if s.mode() == KRaft {
		format := []string{"format", "--cluster-id", s.ClusterID, "--config", config}
		p.first = &errand{
			program: e.java, args: run(storageMain, append(format, s.formatOptions(n, e.distribution)...)...),
			proof: filepath.Join(folder, "data", "meta.properties"),
		}
	}
	return p
}

// logPattern is the layout of log4j's lines in node.log.
const logPattern = "[%d] %p %m (%c)%n"

// logging writes the configuration of whichever logger the distribution has: everything to standard output.
func (e jvm) logging(folder string) ([]string, file) {
	if e.distribution.Logging == "log4j2" {
		path := filepath.Join(folder, "log4j2.properties")
		return []string{"-Dlog4j2.configurationFile=" + path}, file{"log4j2.properties", `appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=` + logPattern + `
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=out
`}
	}
	path := filepath.Join(folder, "log4j.properties")
	return []string{"-Dlog4j.configuration=file:" + path}, file{"log4j.properties", `log4j.rootLogger=INFO, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=` + logPattern + `
log4j.logger.org.apache.zookeeper=WARN
log4j.logger.kafka.request.logger=WARN
log4j.logger.state.change.logger=INFO
`}
}

// jvmOptions are what the virtual machine of a role is started with.
func (s *Spec) jvmOptions(role Role) []string {
	options := s.heapOptions(role)
	if !strings.Contains(strings.Join(options, " "), "GC") {
		options = append(options, "-XX:+UseSerialGC") // the smallest one
	}
	return append(options, "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true")
}

// defaultHeap is small: enough for a rehearsal.
var defaultHeap = map[Role]string{Broker: "256m", Coordinator: "96m", Controller: "128m"}

// apacheHeap is what a spec says for the heaps of Apache's own start scripts.
const apacheHeap = "apache"

// scriptHeap are those heaps, set and limited to the same size.
var scriptHeap = map[Role]string{Broker: "1G", Coordinator: "512M", Controller: "1G"}

// heapOptions turns the heap of the spec into options of a virtual machine: a size, the options of KAFKA_HEAP_OPTS, or the
// word for those of Apache's scripts.
func (s *Spec) heapOptions(role Role) []string {
	switch {
	case s.Heap == "":
		return []string{"-Xmx" + defaultHeap[role]}
	case s.Heap == apacheHeap:
		return []string{"-Xmx" + scriptHeap[role], "-Xms" + scriptHeap[role]}
	case strings.HasPrefix(s.Heap, "-"):
		return strings.Fields(s.Heap)
	}
	return []string{"-Xmx" + s.Heap}
}

// parseHeap returns the bytes of a heap, 0 if it says nothing of its size.
func parseHeap(heap string) (int64, error) {
	if strings.HasPrefix(heap, "-") {
		for _, option := range strings.Fields(heap) {
			if size, ok := strings.CutPrefix(option, "-Xmx"); ok {
				return parseHeap(size)
			}
		}
		return 0, nil
	}
	if heap == "" || heap == apacheHeap {
		return 0, nil
	}
	digits, unit := heap[:len(heap)-1], int64(1)
	switch heap[len(heap)-1] {
	case 'k', 'K':
		unit = 1 << 10
	case 'm', 'M':
		unit = 1 << 20
	case 'g', 'G':
		unit = 1 << 30
	default:
		digits = heap
	}
	n, err := strconv.ParseInt(digits, 10, 40)
	if err != nil || n*unit < 32<<20 {
		return 0, fmt.Errorf("heap %q: must be a size of at least 32m, such as 256m or 1g, or %s for that of Apache's scripts", heap, apacheHeap)
	}
	return n * unit, nil
}

// beyondHeap is what a virtual machine takes beside its heap: code, classes, threads, buffers.
const beyondHeap = 128 << 20

// memory is what the virtual machine of a node may take, 0 for one of this program.
func (s *Spec) memory(role Role) int64 {
	if !isApache(s.EngineOf(role)) {
		return 0
	}
	heap, _ := parseHeap(strings.Join(s.heapOptions(role), " "))
	if heap == 0 {
		heap = 1 << 30 // as Apache's scripts have it
	}
	return heap + beyondHeap
}
