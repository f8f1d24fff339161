package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestALogDirectoryFails takes one of a broker's two log directories away while it runs.
func TestALogDirectoryFails(t *testing.T) {
	if testing.Short() {
		t.Skip("starts four processes")
	}
	second := func(c *testCluster, id int32, properties string) string {
		data := filepath.Join(c.dir, fmt.Sprint("broker", id), "data")
		return strings.Replace(properties, "log.dirs="+data, "log.dirs="+data+","+filepath.Join(filepath.Dir(data), "more"), 1) +
			"replica.high.watermark.checkpoint.interval.ms=100\n"
	}
	c := startClusterWith(t, 1, 3, second)
	victim := c.brokers[2]
	good, bad := filepath.Join(c.dir, "broker2", "data"), filepath.Join(c.dir, "broker2", "more")
	c.create(t, "spread", 6, nil)
	produce(t, c.client(t), "spread", 0, 200)
	c.awaitISR(t, "spread", 3)
	c.testMove(t, good, bad)
	lost := c.replicasIn(t, 2, bad)
	if kept := c.replicasIn(t, 2, good); lost != 3 || kept != 3 {
		t.Fatalf("%d and %d of 6 partitions are in the two directories", kept, lost)
	}

	if err := os.Rename(bad, bad+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, nil, 0o600); err != nil { // so that it cannot be made again
		t.Fatal(err)
	}
	in := func(n int) func() bool { // n partitions have broker 2 in their isr, all have another leader or it
		return func() bool {
			meta, err := c.admin(t).Metadata(t.Context(), "spread")
			members := 0
			for _, p := range meta.Topics["spread"].Partitions {
				for _, id := range p.ISR {
					if id == 2 {
						members++
					}
				}
				if p.Leader < 0 || p.Err != nil {
					return false
				}
			}
			return err == nil && members == n && len(meta.Topics["spread"].Partitions) == 6
		}
	}
	c.eventually("its replicas there leave the isr and lead no more", in(3))
	produce(t, c.client(t), "spread", 200, 400)
	c.consume(t, "spread", 400)
	c.eventually("the directory is described as failed", func() bool {
		for _, d := range c.logDirs(t, 2) {
			if d.Dir == bad {
				return d.ErrorCode == kerr.KafkaStorageError.Code
			}
		}
		return false
	})

	c.stopBroker(t, 2)
	c.start(victim) // the directory is still away: what is in the other one is served
	c.awaitBrokers(3)
	c.eventually("three replicas return", in(3))
	c.stopBroker(t, 2)
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(bad+".away", bad); err != nil {
		t.Fatal(err)
	}
	c.start(victim)
	c.awaitBrokers(3)
	c.awaitISR(t, "spread", 3)
	c.consume(t, "spread", 400)
}

// stopBroker stops a broker in order.
func (c *testCluster) stopBroker(t *testing.T, id int32) {
	t.Helper()
	c.signal(c.brokers[id], syscall.SIGTERM)
	if state := c.await(c.brokers[id]); state.ExitCode() != 0 {
		t.Fatalf("broker %d ended with %v", id, state)
	}
}

// logDirs describes the log directories of a broker.
func (c *testCluster) logDirs(t *testing.T, id int32) []kmsg.DescribeLogDirsResponseDir {
	t.Helper()
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Version = 4
	resp := c.ask(t, id, req).(*kmsg.DescribeLogDirsResponse)
	if resp.ErrorCode != 0 {
		t.Fatal(fmt.Sprint(kerr.ErrorForCode(resp.ErrorCode)))
	}
	return resp.Dirs
}

// replicasIn counts the partitions that are in a directory.
func (c *testCluster) replicasIn(t *testing.T, id int32, dir string) (n int) {
	t.Helper()
	for _, d := range c.logDirs(t, id) {
		for _, topic := range d.Topics {
			if d.Dir == dir && topic.Topic == "spread" {
				n += len(topic.Partitions)
			}
		}
	}
	return n
}

// testMove moves a replica to the other directory and back while records come in.
func (c *testCluster) testMove(t *testing.T, one, other string) {
	move := func(topic string, partition int32, dir string) int16 {
		req := kmsg.NewPtrAlterReplicaLogDirsRequest()
		req.Version = 2
		req.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: dir, Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: topic, Partitions: []int32{partition}}}}}
		return c.ask(t, 2, req).(*kmsg.AlterReplicaLogDirsResponse).Topics[0].Partitions[0].ErrorCode
	}
	for name, test := range map[string]struct{ got, want int16 }{
		"an unknown directory": {move("spread", 0, "/nowhere"), kerr.LogDirNotFound.Code},
		"an unknown partition": {move("spread", 99, one), kerr.ReplicaNotAvailable.Code},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", name, kerr.ErrorForCode(test.got), kerr.ErrorForCode(test.want))
		}
	}
	first, second := one, other // partition 0 is in the first
	if !c.replicaIn(t, 0, one) {
		first, second = other, one
	}
	for _, dir := range []string{second, first} {
		if code := move("spread", 0, dir); code != 0 {
			t.Fatal(kerr.ErrorForCode(code))
		}
		c.eventually("partition 0 is in "+dir, func() bool { return c.replicaIn(t, 0, dir) })
	}
	c.awaitISR(t, "spread", 3)
}

// replicaIn says whether a directory of broker 2 holds a partition, not a copy that is on its way.
func (c *testCluster) replicaIn(t *testing.T, partition int32, dir string) bool {
	t.Helper()
	for _, d := range c.logDirs(t, 2) {
		for _, topic := range d.Topics {
			for _, p := range topic.Partitions {
				if d.Dir == dir && topic.Topic == "spread" && p.Partition == partition && !p.IsFuture {
					return true
				}
			}
		}
	}
	return false
}
