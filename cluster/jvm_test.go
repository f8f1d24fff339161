package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kdrill/cluster/apache"
)

var kafka391 = apache.Distribution{Name: "apache-3.9.1", Version: "3.9.1", ZooKeeper: "3.8.4", Libs: "/opt/kafka/libs", Logging: "log4j"}

func kraftSpec(t *testing.T, controllers, brokers int) Spec {
	t.Helper()
	s := NewKRaftSpec("trial", controllers, brokers, Brisk)
	s.Engine, s.ClusterID = "apache-3.9.1", "bm9ib2R5IG5vdGhpbmch"
	if err := choosePorts(&s, nil, func(port int) (int, error) { return port, nil }, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (p plan) text(t *testing.T, name string) string {
	t.Helper()
	for _, f := range p.files {
		if f.name == name {
			return f.text
		}
	}
	t.Fatalf("no %s among %v", name, p.files)
	return ""
}

func TestApachesNodesOfAZooKeeperCluster(t *testing.T) {
	s := trialSpec(3, 3, Brisk)
	s.Engine, s.Heap = "apache-3.9.1", "512m"
	broker, _ := s.Node("broker-2")
	p := jvm{kafka391, "/usr/bin/java"}.plan(&s, broker, "/state/broker-2")
	want := []string{
		"-Xmx512m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true",
		"-Dlog4j.configuration=file:/state/broker-2/log4j.properties", "-cp", "/opt/kafka/libs/*", "kafka.Kafka", "/state/broker-2/server.properties",
	}
	if p.program != "/usr/bin/java" || !slices.Equal(p.args, want) || p.first != nil {
		t.Errorf("%s %q", p.program, p.args)
	}
	for _, line := range []string{"broker.id=2\n", "zookeeper.connect=127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183\n", "zookeeper.session.timeout.ms=4000\n"} {
		if !strings.Contains(p.text(t, "server.properties"), line) {
			t.Errorf("no %q in\n%s", line, p.text(t, "server.properties"))
		}
	}
	coordinator, _ := s.Node("coordinator-1")
	p = jvm{kafka391, "/usr/bin/java"}.plan(&s, coordinator, "/state/coordinator-1")
	if p.text(t, "data/myid") != "1\n" || !strings.HasSuffix(p.commandLine(), "QuorumPeerMain /state/coordinator-1/zoo.cfg") {
		t.Errorf("%s %+v", p.commandLine(), p.files)
	}
}

func TestControllersOfTheirOwnKeepTheMetadata(t *testing.T) {
	s := kraftSpec(t, 3, 2)
	controller, err := s.Node("controller-102")
	if err != nil {
		t.Fatal(err)
	}
	p := jvm{kafka391, "java"}.plan(&s, controller, "/state/controller-102")
	text := p.text(t, "server.properties")
	for _, line := range []string{
		"process.roles=controller\n", "node.id=102\n", "listeners=CONTROLLER://127.0.0.1:19093\n",
		"controller.quorum.bootstrap.servers=127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
	if strings.Contains(text, "zookeeper") {
		t.Errorf("ZooKeeper is assumed:\n%s", text)
	}
	if format := strings.Join(p.first.args, " "); !strings.Contains(format, "--initial-controllers 101@127.0.0.1:19092:") || p.first.proof != "/state/controller-102/data/meta.properties" {
		t.Errorf("%s", format)
	}
	broker, _ := s.Node("broker-1")
	p = jvm{kafka391, "java"}.plan(&s, broker, "/state/broker-1")
	if format := strings.Join(p.first.args, " "); !strings.HasSuffix(format, "--no-initial-controllers") {
		t.Errorf("%s", format)
	}
	older := kafka391
	older.Version = "3.6.2"
	p = jvm{older, "java"}.plan(&s, broker, "/state/broker-1")
	if want := "controller.quorum.voters=101@127.0.0.1:19092,102@127.0.0.1:19093,103@127.0.0.1:19094\n"; !strings.Contains(p.text(t, "server.properties"), want) {
		t.Errorf("an older Kafka has no %s", want)
	}
}

func TestBrokersCanBeControllersToo(t *testing.T) {
	s := kraftSpec(t, 0, 4)
	if got := s.controllers(); len(got) != 3 {
		t.Errorf("voters %v", got)
	}
	first, _ := s.Node("broker-1")
	fourth, _ := s.Node("broker-4")
	both := jvm{kafka391, "java"}.plan(&s, first, "/state/broker-1").text(t, "server.properties")
	if !strings.Contains(both, "process.roles=broker,controller\n") || !strings.Contains(both, "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:19092\n") {
		t.Errorf("%s", both)
	}
	if only := (jvm{kafka391, "java"}).plan(&s, fourth, "/state/broker-4").text(t, "server.properties"); !strings.Contains(only, "process.roles=broker\n") {
		t.Errorf("%s", only)
	}
}

func TestHeapsAreSizesOrOptions(t *testing.T) {
	for heap, want := range map[string]int64{"": 256 << 20, "apache": 1 << 30, "1g": 1 << 30, "300M": 300 << 20, "-Xms512m -Xmx2G": 2 << 30, "-XX:+UseG1GC": 1 << 30} {
		s := trialSpec(1, 1, Brisk)
		s.Engine, s.Heap = "apache-3.9.1", heap
		if err := s.Check(); err != nil {
			t.Errorf("%q: %v", heap, err)
		}
		if got := s.memory(Broker); got != want+beyondHeap {
			t.Errorf("%q: %d MB, want %d", heap, got>>20, (want+beyondHeap)>>20)
		}
	}
	for _, heap := range []string{"5", "m", "1t", "-Xmx4k", "lots"} {
		s := trialSpec(1, 1, Brisk)
		s.Heap = heap
		if s.Check() == nil {
			t.Errorf("heap %q is taken", heap)
		}
	}
	s := trialSpec(1, 1, Brisk)
	if s.memory(Broker) != 0 {
		t.Error("embedded nodes need no heap")
	}
}

// hollowKafka adds a Kafka of empty jars to a state directory, and a Java that does nothing.
func hollowKafka(t *testing.T, stateDir string) {
	t.Helper()
	libs := t.TempDir()
	for _, jar := range []string{"kafka_2.13-3.9.1", "kafka-clients-3.9.1", "kafka-server-common-3.9.1", "kafka-storage-3.9.1", "kafka-raft-3.9.1", "kafka-metadata-3.9.1", "scala-library-2", "slf4j-api-1", "zookeeper-3.8.4"} {
		if err := os.WriteFile(filepath.Join(libs, jar+".jar"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "bin", "java"), []byte("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JAVA_HOME", home)
	if _, err := Engines(stateDir).Add(libs, ""); err != nil {
		t.Fatal(err)
	}
}

func TestTooLittleMemoryIsSaidBeforeAnythingStarts(t *testing.T) {
	if _, ok := availableMemory(); !ok {
		t.Skip("this system does not say how much memory is free")
	}
	stateDir := t.TempDir()
	hollowKafka(t, stateDir)
	s := NewSpec("trial", 3, 3, Brisk)
	s.Engine, s.Heap = "apache-3.9.1", "4000g"
	if _, err := Create(stateDir, s); err == nil || !strings.Contains(err.Error(), "6 JVMs would take about") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(stateDir, "trial")); err == nil {
		t.Error("a cluster was left behind")
	}
}

// The errand runs before the first start only, in the same process.
func TestStorageIsFormattedOnce(t *testing.T) {
	folder := t.TempDir()
	proof := filepath.Join(folder, "meta.properties")
	p := plan{
		program: "/bin/sh", args: []string{"-c", "echo served >> log"},
		first: &errand{program: "/bin/sh", args: []string{"-c", "echo \"it's formatted\" >> log; touch " + proof}, proof: proof},
	}
	for range 2 {
		if out, err := p.command(folder).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if log, _ := os.ReadFile(filepath.Join(folder, "log")); string(log) != "it's formatted\nserved\nserved\n" {
		t.Errorf("%q", log)
	}
	p.first = &errand{program: "/bin/sh", args: []string{"-c", "exit 3"}, proof: proof + ".other"}
	if err := p.command(folder).Run(); err == nil || err.Error() != "exit status 3" {
		t.Errorf("a failed errand: %v", err)
	}
}
