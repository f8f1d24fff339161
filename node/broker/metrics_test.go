package broker

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// scrape returns a broker's metrics by their names with labels.
func (c *testCluster) scrape(t *testing.T, n *testNode) map[string]float64 {
	t.Helper()
	response, err := http.Get("http://" + httpAddress(t, n) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	values := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			values[name] = v
		}
	}
	if response.StatusCode != http.StatusOK || len(values) == 0 {
		t.Fatalf("%s: status %d, %d metrics", n.addr, response.StatusCode, len(values))
	}
	return values
}

// httpAddress is where a broker said that it serves metrics.
func httpAddress(t *testing.T, n *testNode) string {
	t.Helper()
	text, err := os.ReadFile(n.log)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`msg="metrics served" address=(\S+)`).FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Fatalf("%s does not say where it serves metrics", n.log)
	}
	return found[len(found)-1][1]
}

// testMetrics produces, consumes and commits, and finds that in the metrics of the brokers that took part.
func (c *testCluster) testMetrics(t *testing.T) {
	c.create(t, "measured", 2, nil)
	produce(t, c.client(t), "measured", 0, 300)
	c.consume(t, "measured", 300)
	offsets := kadm.Offsets{}
	offsets.AddOffset("measured", 0, 0, -1)
	if _, err := c.admin(t).CommitOffsets(t.Context(), "measuring", offsets); err != nil {
		t.Fatal(err)
	}
	c.awaitISR(t, "measured", 3)
	sum := map[string]float64{}
	var ends float64
	for id, n := range c.brokers {
		for name, v := range c.scrape(t, n) {
			sum[name] += v
			if strings.HasPrefix(name, `kafka_log_log_logendoffset{partition="`) && strings.HasSuffix(name, `topic="measured"}`) {
				ends += v
			}
		}
		health, err := http.Get("http://" + httpAddress(t, n) + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(health.Body)
		health.Body.Close()
		if want := fmt.Sprintf("broker %d serves\n", id); health.StatusCode != http.StatusOK || string(text) != want {
			t.Errorf("/healthz of broker %d: %d %s", id, health.StatusCode, text)
		}
	}
	for name, want := range map[string]float64{
		`kafka_server_brokertopicmetrics_messagesin_total{topic="measured"}`:                           300,
		`kafka_controller_kafkacontroller_activecontrollercount`:                                       1,
		`kafka_controller_kafkacontroller_offlinepartitionscount`:                                      0,
		`kafka_controller_kafkacontroller_activebrokercount`:                                           3,
		`kafka_server_replicamanager_underminisrpartitioncount`:                                        0,
		`kafka_cluster_partition_insyncreplicascount{partition="0",topic="measured"}`:                  3,
		`kafka_consumergroup_current_offset{consumergroup="measuring",partition="0",topic="measured"}`: 0,

		`kafka_controller_controllerstats_uncleanleaderelections_total`:                    0,
		`kafka_log_logmanager_offlinelogdirectorycount`:                                    0,
		`kafka_server_brokertopicmetrics_invalidmessagecrcrecords_total{topic="measured"}`: 0,
		`kafka_server_delayedoperationpurgatory_purgatorysize{delayedoperation="Produce"}`: 0,
		`kafka_server_leaderreplication_byte_rate`:                                         0,
		`kafka_server_fetchsessioncache_incrementalfetchsessionevictions_total`:            0,

		`kafka_server_replicamanager_offlinereplicacount`:                               0,
		`kafka_server_kafkaserver_brokerstate`:                                          9,
		`kafka_server_brokertopicmetrics_bytesrejected_total{topic="measured"}`:         0,
		`kafka_cluster_partition_laststableoffsetlag{partition="0",topic="measured"}`:   0,
		`kafka_cluster_partition_underreplicated{partition="1",topic="measured"}`:       0,
		`kafka_server_brokertopicmetrics_failedproducerequests_total{topic="measured"}`: 0,
	} {
		if got, ok := sum[name]; !ok || got != want {
			t.Errorf("%s: %v (there: %v), want %v", name, got, ok, want)
		}
	}
	in, replicated := sum[`kafka_server_brokertopicmetrics_bytesin_total{topic="measured"}`], sum[`kafka_server_brokertopicmetrics_replicationbytesin_total{topic="measured"}`]
	if in <= 0 || replicated != 2*in || sum[`kafka_server_brokertopicmetrics_replicationbytesout_total{topic="measured"}`] < replicated {
		t.Errorf("%v bytes in, %v replicated", in, replicated)
	}
	if out := sum[`kafka_server_brokertopicmetrics_bytesout_total{topic="measured"}`]; out < in {
		t.Errorf("%v bytes in, only %v out", in, out)
	}
	if ends != 3*300 {
		t.Errorf("log ends add up to %v", ends)
	}
	if sum[`kafka_server_fetchsessioncache_numincrementalfetchsessions`] < 2 { // those of the followers at least
		t.Errorf("%v fetch sessions", sum[`kafka_server_fetchsessioncache_numincrementalfetchsessions`])
	}
	if sum[`kafka_network_requestmetrics_totaltimems_count{request="FetchFollower"}`] == 0 || sum[`kafka_network_requestmetrics_totaltimems_count{request="Produce"}`] == 0 {
		t.Error("no request was timed")
	}
	if sum[`kafka_network_requestmetrics_errors_total{error="NONE",request="Produce"}`] == 0 || sum[`kafka_network_requestmetrics_remotetimems_sum{request="FetchFollower"}`] == 0 ||
		sum[`kafka_network_requestmetrics_localtimems_sum{request="Produce"}`] == 0 || sum[`kafka_network_requestmetrics_totaltimems_count{request="ApiVersions"}`] == 0 {
		t.Error("the ways of requests were not timed")
	}
}
