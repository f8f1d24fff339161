package broker

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

// testBrokerConfigs sets properties of one broker and of all, sees them described and obeyed, and takes them back.
func (c *testCluster) testBrokerConfigs(t *testing.T) {
	c.create(t, "plain", 1, nil)
	admin := c.admin(t)
	leader := c.partition(t, "plain", 0).Leader
	value := func(name string) string {
		described, err := admin.DescribeBrokerConfigs(t.Context(), leader)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range described[0].Configs {
			if e.Key == name {
				return e.MaybeValue() + " " + e.Source.String()
			}
		}
		return "absent"
	}
	change := func(op kadm.IncrementalOp, name, value string, brokers ...int32) error {
		answer, err := admin.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Op: op, Name: name, Value: &value}}, brokers...)
		if err != nil {
			return err
		}
		return answer[0].Err
	}
	const name = "message.max.bytes"
	if err := change(kadm.SetConfig, name, "3000"); err != nil {
		t.Fatal(err)
	}
	c.eventually("the leader heard of it", func() bool { return value(name) == "3000 DYNAMIC_DEFAULT_BROKER_CONFIG" })
	if err := change(kadm.SetConfig, name, "2000", leader); err != nil {
		t.Fatal(err)
	}
	if got := value(name); got != "2000 DYNAMIC_BROKER_CONFIG" {
		t.Errorf("one broker's own: %s", got)
	}
	client := c.client(t, kgo.DefaultProduceTopic("plain"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	record := func(n int) error {
		return client.ProduceSync(t.Context(), kgo.StringRecord(strings.Repeat("x", n))).FirstErr()
	}
	if err := record(1000); err != nil {
		t.Error(err)
	}
	if err := record(2500); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a record of 2500 bytes: %v", err)
	}
	for _, brokers := range [][]int32{{leader}, nil} {
		if err := change(kadm.DeleteConfig, name, "", brokers...); err != nil {
			t.Fatal(err)
		}
	}
	c.eventually("the leader heard that it is over", func() bool { return value(name) == "1048588 DEFAULT_CONFIG" })
	if err := record(2500); err != nil {
		t.Error(err)
	}
	if err := change(kadm.SetConfig, "color", "red", leader); err != nil { // could be a plugin's
		t.Error(err)
	}
	for property, value := range map[string]string{"num.partitions": "9", "listener.name.plaintext.ssl.keystore.location": "/k", name: "many"} {
		if err := change(kadm.SetConfig, property, value, leader); !errors.Is(err, kerr.InvalidRequest) {
			t.Errorf("%s=%s: %v", property, value, err)
		}
	}
	c.testDocumentation(t, leader)
	c.testLoggers(t, leader)
	c.testConnectionLimits(t, leader, change)
}

// testConnectionLimits shuts an address out of a running broker, and lets it in again.
func (c *testCluster) testConnectionLimits(t *testing.T, id int32, change func(kadm.IncrementalOp, string, string, ...int32) error) {
	comesIn := func() bool {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
		conn, err := dialer.DialContext(t.Context(), "tcp", c.brokers[id].addr)
		if err != nil {
			t.Fatal(err)
		}
		client := wire.NewClient(conn, "test")
		defer client.Close()
		_, err = client.Request(t.Context(), kmsg.NewPtrApiVersionsRequest())
		return err == nil
	}
	if !comesIn() {
		t.Fatal("no connection from another address")
	}
	const overrides, own = "max.connections.per.ip.overrides", "listener.name.plaintext.max.connections"
	if err := change(kadm.SetConfig, overrides, "127.0.0.2:0", id); err != nil {
		t.Fatal(err)
	}
	c.eventually("the address is shut out", func() bool { return !comesIn() })
	metrics := c.scrape(t, c.brokers[id])
	if metrics[`kdrill_connections_refused_total{listener="PLAINTEXT"}`] < 1 || metrics[`kafka_server_socket_server_metrics_connection_count{listener="PLAINTEXT"}`] < 1 ||
		metrics[`kafka_server_socket_server_metrics_connection_creation_total{listener="PLAINTEXT"}`] < 2 {
		t.Error("the metrics do not show it")
	}
	if err := change(kadm.DeleteConfig, overrides, "", id); err != nil {
		t.Fatal(err)
	}
	c.eventually("the address is let in again", comesIn)
	if err := change(kadm.SetConfig, overrides, "127.0.0.2", id); !errors.Is(err, kerr.InvalidRequest) {
		t.Errorf("no number: %v", err)
	}
	if err := change(kadm.SetConfig, own, "1000"); !errors.Is(err, kerr.InvalidRequest) {
		t.Errorf("a listener's own for all brokers: %v", err)
	}
	if err := change(kadm.SetConfig, own, "1000", id); err != nil {
		t.Error(err)
	}
	if err := change(kadm.DeleteConfig, own, "", id); err != nil {
		t.Error(err)
	}
}

// testDocumentation asks what properties mean, and does not ask.
func (c *testCluster) testDocumentation(t *testing.T, id int32) {
	describe := kmsg.NewPtrDescribeConfigsRequest()
	describe.Version, describe.Resources = 4, []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: fmt.Sprint(id), ConfigNames: []string{"listeners", "log.retention.ms"}}}
	for _, asked := range []bool{true, false} {
		describe.IncludeDocumentation = asked
		configs := c.ask(t, id, describe).(*kmsg.DescribeConfigsResponse).Resources[0].Configs
		for _, config := range configs {
			if told := config.Documentation != nil && *config.Documentation != ""; told != asked {
				t.Errorf("%s: documentation asked for %v, given %v", config.Name, asked, told)
			}
		}
		if len(configs) != 2 {
			t.Errorf("%d properties, want 2", len(configs))
		}
	}
}

// testLoggers has a logger of one broker write more, and sees that described.
func (c *testCluster) testLoggers(t *testing.T, id int32) {
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	debug := "DEBUG"
	alter.Version, alter.Resources = 1, []kmsg.IncrementalAlterConfigsRequestResource{{
		ResourceType: kmsg.ConfigResourceTypeBrokerLogger, ResourceName: fmt.Sprint(id),
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "kafka.network", Op: kmsg.IncrementalAlterConfigOpSet, Value: &debug}},
	}}
	if got := c.ask(t, id, alter).(*kmsg.IncrementalAlterConfigsResponse).Resources[0]; got.ErrorCode != 0 {
		t.Fatal(kerr.ErrorForCode(got.ErrorCode))
	}
	describe := kmsg.NewPtrDescribeConfigsRequest()
	describe.Version, describe.Resources = 4, []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBrokerLogger, ResourceName: fmt.Sprint(id)}}
	levels := map[string]string{}
	for _, config := range c.ask(t, id, describe).(*kmsg.DescribeConfigsResponse).Resources[0].Configs {
		levels[config.Name] = *config.Value
		if config.Source != kmsg.ConfigSourceDynamicBrokerLoggerConfig || config.ReadOnly {
			t.Errorf("%+v", config)
		}
	}
	if levels["kafka.network"] != "DEBUG" || levels["kafka.server"] != "INFO" || levels["root"] != "INFO" {
		t.Errorf("levels %v", levels)
	}
}
