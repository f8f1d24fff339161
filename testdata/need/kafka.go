package need

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// The Apache Kafkas that tests run: the last with ZooKeeper, and one without.
const (
	Kafka3 = "3.9.1"
	Kafka4 = "4.1.0"
)

// extras are what a distribution adds to a broker's own dependencies: what writes its log, and the tools.
var extras = map[string]string{
	Kafka3: dependency("org.slf4j", "slf4j-reload4j", "1.7.36") + dependency("ch.qos.reload4j", "reload4j", "1.2.25") +
		dependency("org.apache.kafka", "kafka-tools", Kafka3) + dependency("org.apache.kafka", "kafka-streams", Kafka3),
	Kafka4: dependency("org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3") + dependency("org.apache.logging.log4j", "log4j-core", "2.24.3"),
}

func dependency(group, artifact, version string) string {
	return fmt.Sprintf("<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>", group, artifact, version)
}

// Kafka returns a folder with the jars of Apache Kafka. They are fetched once with Maven, into the user's cache.
func Kafka(t testing.TB, version string) string {
	t.Helper()
	Program(t, "java", "openjdk-17-jre-headless")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "kdrill-test", "kafka-with-tools-"+version)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(folder, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil { // packages are tested side by side
		t.Fatal(err)
	}
	libs := filepath.Join(folder, "libs")
	if _, err := os.Stat(libs); err == nil {
		return libs
	}
	if err := fetch(t, folder, version); err != nil {
		missing(t, "Apache Kafka "+version+" ("+err.Error()+")", "maven, and let it reach a repository")
	}
	return libs
}

// fetch has Maven copy Kafka with its dependencies to libs below folder.
func fetch(t testing.TB, folder, version string) error {
	mvn := Program(t, "mvn", "maven")
	pom := `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>kdrill</groupId>` +
		`<artifactId>kafka</artifactId><version>1</version><dependencies>` +
		dependency("org.apache.kafka", "kafka_2.13", version) + extras[version] + `</dependencies></project>`
	if err := os.WriteFile(filepath.Join(folder, "pom.xml"), []byte(pom), 0o644); err != nil {
		return err
	}
	draft := filepath.Join(folder, "draft")
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	command := exec.CommandContext(t.Context(), mvn, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+draft)
	command.Dir = folder
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("mvn: %w: %.300s", err, out)
	}
	return os.Rename(draft, filepath.Join(folder, "libs"))
}
