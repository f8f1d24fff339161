package coordinator

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"kdrill/testdata/need"
)

// apacheJars is the class path of Debian's Apache ZooKeeper, as patterns below /usr/share/java.
var apacheJars = []string{
	"zookeeper.jar", "zookeeper-jute.jar", "commons-cli.jar", "commons-io.jar", "slf4j-api.jar", "slf4j-simple.jar", "netty-*.jar",
	"jackson-core.jar", "jackson-databind.jar", "jackson-annotations.jar", "snappy-java.jar", "metrics-core.jar", "servlet-api.jar",
	"jetty9-server.jar", "jetty9-servlet.jar", "jetty9-http.jar", "jetty9-io.jar", "jetty9-util.jar", "jetty9-security.jar", "jetty9-util-ajax.jar",
}

// startApache starts size nodes of Apache ZooKeeper with the configuration that ours would get.
func startApache(t testing.TB, size int, settings ...string) *ensemble {
	t.Helper()
	need.File(t, "/usr/share/java/zookeeper.jar", "zookeeper")
	java := need.Program(t, "java", "default-jre-headless")
	var path []string
	for _, pattern := range apacheJars {
		found, _ := filepath.Glob(filepath.Join("/usr/share/java", pattern))
		path = append(path, found...)
	}
	e := newEnsemble(t, size, append([]string{"initLimit=10", "syncLimit=5", "admin.enableServer=false"}, settings...)...)
	for _, p := range e.nodes {
		p.program = func() *exec.Cmd {
			return exec.Command(java, "-Xmx256m", "-cp", strings.Join(path, ":"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
				"-Dznode.container.checkIntervalMs=500",
				"org.apache.zookeeper.server.quorum.QuorumPeerMain", filepath.Join(p.dir, "zoo.cfg"))
		}
		p.start()
	}
	for _, p := range e.nodes {
		eventually(t, "Apache node "+strconv.Itoa(p.id)+" serves", func() bool { return strings.Contains(fmt.Sprint(p.mode()), "e") })
	}
	return e
}
