package apache

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var kafka3 = []string{
	"kafka_2.13-3.9.1.jar", "kafka-clients-3.9.1.jar", "kafka-server-common-3.9.1.jar", "kafka-storage-3.9.1.jar", "kafka-raft-3.9.1.jar",
	"kafka-metadata-3.9.1.jar", "scala-library-2.13.15.jar", "slf4j-api-1.7.36.jar", "reload4j-1.2.25.jar", "zookeeper-3.8.4.jar", "zookeeper-jute-3.8.4.jar",
}

func kafka4() (jars []string) {
	for _, jar := range kafka3 {
		if !strings.HasPrefix(jar, "zookeeper") && !strings.HasPrefix(jar, "reload4j") {
			jars = append(jars, strings.ReplaceAll(jar, "3.9.1", "4.1.0"))
		}
	}
	return append(jars, "log4j-core-2.24.3.jar")
}

// folder makes a folder with files of these names below it.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func below(dir string, names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = filepath.Join(dir, name)
	}
	return all
}

func TestVersionsAndModesAreReadFromJars(t *testing.T) {
	for name, c := range map[string]struct {
		names     []string
		version   string
		zookeeper string
		logging   string
		modes     []string
		java      int
	}{
		"an unpacked archive": {append(below("libs", kafka3), "bin/kafka-topics.sh", "config/server.properties"), "3.9.1", "3.8.4", "log4j", []string{"zookeeper", "kraft"}, 8},
		"a folder of jars":    {kafka3, "3.9.1", "3.8.4", "log4j", []string{"zookeeper", "kraft"}, 8},
		"without ZooKeeper":   {below("libs", kafka4()), "4.1.0", "", "log4j2", []string{"kraft"}, 17},
	} {
		d, err := Inspect(folder(t, c.names...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.Name != "apache-"+c.version || d.Version != c.version || d.ZooKeeper != c.zookeeper || d.Logging != c.logging || d.Java() != c.java {
			t.Errorf("%s: %+v", name, d)
		}
		if !slices.Equal(d.Modes(), c.modes) {
			t.Errorf("%s: modes %v", name, d.Modes())
		}
	}
}

func TestWhatIsNoKafkaIsRefused(t *testing.T) {
	for want, names := range map[string][]string{
		"is no Apache Kafka":                         {"libs/zookeeper-3.8.4.jar", "README"},
		"has several Kafkas (3.9.1, 4.1.0)":          append(kafka3, "kafka_2.13-4.1.0.jar"),
		"is incomplete, kafka-raft-*.jar is missing": slices.DeleteFunc(slices.Clone(kafka3), func(jar string) bool { return strings.HasPrefix(jar, "kafka-raft") }),
		"has Kafka 2.8.2: kdrill runs 3.0 and later": {"kafka_2.13-2.8.2.jar"},
	} {
		if _, err := Inspect(folder(t, names...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	d, err := Inspect(folder(t, kafka4()...))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Supports("zookeeper"); err == nil || err.Error() != "apache-4.1.0 has no ZooKeeper mode: use --mode kraft, or add a Kafka 3.9" {
		t.Errorf("%v", err)
	}
}

// pack makes an archive as Apache publishes it.
func pack(t *testing.T, names []string) []byte {
	t.Helper()
	var archive bytes.Buffer
	packed := gzip.NewWriter(&archive)
	w := tar.NewWriter(packed)
	for _, name := range names {
		header := &tar.Header{Name: "kafka_2.13-3.9.1/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(name))}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnArchiveIsCheckedUnpackedAndRemoved(t *testing.T) {
	data := pack(t, append(below("libs", kafka3), "site-docs/x.tgz", "bin/kafka-topics.sh"))
	archive := write(t, "kafka_2.13-3.9.1.tgz", data)
	sum := sha512.Sum512(data)
	digits := hex.EncodeToString(sum[:])
	store := NewStore(filepath.Join(t.TempDir(), "engines"))

	published := "kafka_2.13-3.9.1.tgz: " + strings.ToUpper(digits[:64]) + "\n                      " + strings.ToUpper(digits[64:]) + "\n"
	d, err := store.Add(archive, write(t, "kafka_2.13-3.9.1.tgz.sha512", []byte(published)))
	if err != nil {
		t.Fatal(err)
	}
	if !d.Unpacked || d.SHA512 != digits {
		t.Errorf("%+v", d)
	}
	if _, err := os.Stat(filepath.Join(d.Folder, "site-docs")); err == nil {
		t.Error("documentation was unpacked")
	}
	if _, err := store.Add(archive, digits); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a second time: %v", err)
	}
	if newest, err := store.Newest("kraft"); err != nil || newest.Name != "apache-3.9.1" {
		t.Errorf("%+v, %v", newest, err)
	}
	if err := store.Remove("apache-3.9.1"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.Folder); err == nil {
		t.Error("what was unpacked is still there")
	}
}

func TestABadArchiveLeavesNothingBehind(t *testing.T) {
	data := pack(t, below("libs", kafka3))
	for name, c := range map[string]struct {
		source string
		sum    string
		want   string
	}{
		"truncated":       {write(t, "a.tgz", data[:len(data)/2]), "", "is truncated or damaged: download it again"},
		"end cut off":     {write(t, "a.tgz", data[:len(data)-4]), "", "is truncated or damaged: download it again"},
		"wrong sum":       {write(t, "a.tgz", data), strings.Repeat("0", 128), "and not 0000000000000000…"},
		"no sum":          {write(t, "a.tgz", data), "abc", "--sha512 abc: give 128 hexadecimal digits"},
		"no archive":      {write(t, "a.zip", []byte("PK")), "", "is no .tgz archive"},
		"not Kafka":       {write(t, "a.tgz", pack(t, []string{"libs/x.jar"})), "", "a.tgz is no Apache Kafka"},
		"not there":       {filepath.Join(t.TempDir(), "none.tgz"), "", "is not there"},
		"sum of a folder": {folder(t, kafka3...), strings.Repeat("0", 128), "is a folder"},
	} {
		dir := filepath.Join(t.TempDir(), "engines")
		if _, err := NewStore(dir).Add(c.source, c.sum); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestAFolderThatWentAwayIsNamed(t *testing.T) {
	source := folder(t, below("kafka", kafka3)...)
	store := NewStore(t.TempDir())
	if _, err := store.Add(filepath.Join(source, "kafka"), ""); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(source, "kafka")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get("apache-3.9.1"); err == nil || !strings.Contains(err.Error(), "kdrill engine remove apache-3.9.1") {
		t.Errorf("%v", err)
	}
	if err := store.Remove("../x"); err == nil {
		t.Error("a path was removed")
	}
}

func TestJavaIsFoundAndItsAgeKnown(t *testing.T) {
	home := t.TempDir()
	t.Setenv("JAVA_HOME", home)
	if _, err := FindJava(t.Context()); err == nil || !strings.Contains(err.Error(), "JAVA_HOME is "+home) {
		t.Errorf("%v", err)
	}
	for said, want := range map[string]int{
		`openjdk version "17.0.15" 2025-04-15`: 17,
		`java version "1.8.0_412"`:             8,
		`openjdk version "21" 2023-09-19`:      21,
	} {
		if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		script := "#!/bin/sh\necho '" + said + "' >&2\n"
		if err := os.WriteFile(filepath.Join(home, "bin", "java"), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		j, err := FindJava(t.Context())
		if err != nil || j.Major != want {
			t.Errorf("%s: %+v, %v", said, j, err)
		}
		if old := j.Runs(Distribution{Version: "4.1.0"}); (old != nil) != (want < 17) {
			t.Errorf("Java %d and Kafka 4: %v", want, old)
		}
	}
	t.Setenv("JAVA_HOME", "")
	t.Setenv("PATH", "")
	if _, err := FindJava(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "no Java: install") {
		t.Errorf("%v", err)
	}
}

func TestVersionsAreOrdered(t *testing.T) {
	versions := []string{"3.9.1", "4.0.0-rc1", "3.10.0", "4.0.0", "3.9.0"}
	slices.SortFunc(versions, compareVersions)
	if want := []string{"3.9.0", "3.9.1", "3.10.0", "4.0.0-rc1", "4.0.0"}; !slices.Equal(versions, want) {
		t.Errorf("%v", versions)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, data []byte) {
		outside := t.TempDir()
		inside := filepath.Join(outside, "in")
		if err := os.Mkdir(inside, 0o755); err != nil {
			t.Fatal(err)
		}
		archive := filepath.Join(t.TempDir(), "a.tgz")
		if err := os.WriteFile(archive, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_ = unpack(archive, inside)
		if entries, _ := os.ReadDir(outside); len(entries) != 1 {
			t.Errorf("%v were written beside the folder", entries)
		}
	})
}
