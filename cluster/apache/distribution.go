package apache

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Distribution is one Apache Kafka on this machine.
type Distribution struct {
	Name      string `json:"name" yaml:"-"`                            // apache-3.9.1
	Version   string `json:"version" yaml:"version"`                   // 3.9.1
	ZooKeeper string `json:"zookeeper,omitempty" yaml:"-"`             // version of the ZooKeeper in it, empty if there is none
	Folder    string `json:"folder" yaml:"folder"`                     // what the user named, or what was unpacked
	Libs      string `json:"libs" yaml:"-"`                            // folder of jars
	Unpacked  bool   `json:"unpacked" yaml:"unpacked"`                 // it is the store's, not the user's
	Logging   string `json:"logging,omitempty" yaml:"-"`               // the jar that writes logs: log4j or log4j2
	SHA512    string `json:"sha512,omitempty" yaml:"sha512,omitempty"` // of the archive it came from
}

// The ways of a cluster to keep its metadata.
const (
	ZooKeeperMode = "zookeeper"
	KRaftMode     = "kraft"
)

// The kinds of Distribution.Logging.
const (
	log4j1 = "log4j"
	log4j2 = "log4j2"
)

// needed are the jars without which no broker starts, by the start of their names.
var needed = []string{"kafka-clients-", "kafka-server-common-", "kafka-storage-", "kafka-raft-", "kafka-metadata-", "scala-library-", "slf4j-api-"}

var (
	kafkaJar     = regexp.MustCompile(`^kafka_2\.1\d-(\d+\.\d+\.\d+(?:-[A-Za-z0-9]+)?)\.jar$`)
	zookeeperJar = regexp.MustCompile(`^zookeeper-(\d+\.\d+\.\d+)\.jar$`)
)

// Inspect says which Kafka lies in a folder: an unpacked official archive, or just jars.
func Inspect(folder string) (Distribution, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return Distribution{}, err
	}
	for _, libs := range []string{filepath.Join(folder, "libs"), folder} {
		jars, err := jarsIn(libs)
		if err != nil {
			return Distribution{}, err
		}
		if d, err := fromJars(jars); err != nil || d.Version != "" {
			d.Folder, d.Libs = folder, libs
			if err != nil {
				err = fmt.Errorf("%s: %w", libs, err)
			}
			return d, err
		}
	}
	return Distribution{}, fmt.Errorf("%s is no Apache Kafka: neither it nor its libs folder has a jar like kafka_2.13-3.9.1.jar", folder)
}

func jarsIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(folder) == "libs" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var jars []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".jar") {
			jars = append(jars, e.Name())
		}
	}
	return jars, nil
}

// fromJars reads versions from the names of jars; without any Kafka among them the distribution has no version.
func fromJars(jars []string) (d Distribution, err error) {
	var versions []string
	for _, jar := range jars {
		if m := kafkaJar.FindStringSubmatch(jar); m != nil {
			versions = append(versions, m[1])
		}
		if m := zookeeperJar.FindStringSubmatch(jar); m != nil {
			d.ZooKeeper = m[1]
		}
		switch {
		case strings.HasPrefix(jar, "log4j-core-2"):
			d.Logging = log4j2
		case d.Logging == "" && (strings.HasPrefix(jar, "reload4j-") || strings.HasPrefix(jar, "log4j-1.")):
			d.Logging = log4j1
		}
	}
	if len(versions) == 0 {
		return d, nil
	}
	if len(versions) > 1 {
		return d, fmt.Errorf("has several Kafkas (%s): keep each in a folder of its own", strings.Join(versions, ", "))
	}
	d.Version = versions[0]
	d.Name = "apache-" + d.Version
	if major(d.Version) < 3 {
		return d, fmt.Errorf("has Kafka %s: kdrill runs 3.0 and later", d.Version)
	}
	var missing []string
	for _, prefix := range needed {
		if !slices.ContainsFunc(jars, func(jar string) bool { return strings.HasPrefix(jar, prefix) }) {
			missing = append(missing, prefix+"*.jar")
		}
	}
	if len(missing) > 0 {
		return d, fmt.Errorf("is incomplete, %s is missing: unpack the whole archive, or copy kafka_2.13 with all its dependencies", strings.Join(missing, ", "))
	}
	return d, nil
}

// Modes lists what the distribution can be run in.
func (d Distribution) Modes() []string {
	switch {
	case major(d.Version) >= 4, d.ZooKeeper == "":
		return []string{KRaftMode}
	case compareVersions(d.Version, "3.3.0") < 0: // KRaft was a preview
		return []string{ZooKeeperMode}
	}
	return []string{ZooKeeperMode, KRaftMode}
}

// Supports says why the distribution cannot be run in a mode.
func (d Distribution) Supports(mode string) error {
	switch {
	case slices.Contains(d.Modes(), mode):
		return nil
	case mode == ZooKeeperMode && major(d.Version) >= 4:
		return fmt.Errorf("%s has no ZooKeeper mode: use --mode kraft, or add a Kafka 3.9", d.Name)
	case mode == ZooKeeperMode:
		return fmt.Errorf("%s has no zookeeper jar: add the whole distribution, or use --mode kraft", d.Libs)
	}
	return fmt.Errorf("%s cannot be run in %s mode: it can in %s mode", d.Name, mode, strings.Join(d.Modes(), " and "))
}

// DynamicQuorum says whether its KRaft controllers may be added and removed (KIP-853).
func (d Distribution) DynamicQuorum() bool { return compareVersions(d.Version, "3.9.0") >= 0 }

// Java is the oldest Java that runs it.
func (d Distribution) Java() int {
	if major(d.Version) >= 4 {
		return 17
	}
	return 8
}

func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(first)
	return n
}

// compareVersions compares numbers part by part; what follows a hyphen makes a version older.
func compareVersions(a, b string) int {
	numbersA, rcA, isA := strings.Cut(a, "-")
	numbersB, rcB, isB := strings.Cut(b, "-")
	partsA, partsB := strings.Split(numbersA, "."), strings.Split(numbersB, ".")
	for i := range max(len(partsA), len(partsB)) {
		if c := cmp.Compare(part(partsA, i), part(partsB, i)); c != 0 {
			return c
		}
	}
	if isA != isB {
		return map[bool]int{true: -1, false: 1}[isA]
	}
	return strings.Compare(rcA, rcB)
}

func part(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, _ := strconv.Atoi(parts[i])
	return n
}
