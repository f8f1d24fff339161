package security

import (
	"crypto/tls"
	"os"
	"slices"
	"strings"

	"github.com/magiconair/properties"
)

// zookeeperPrefix begins the names of settings that have an effect. They are those of Kafka's tools
// (--zk-tls-config-file) and of its brokers; ZooKeeper's own spelling (zookeeper.ssl.keyStore.location) and names without
// the leading zookeeper. do as well.
const zookeeperPrefix = "zookeeper.ssl."

var zookeeperUsed = []string{
	"truststore.location", "truststore.password", "truststore.type", "keystore.location", "keystore.password", "keystore.type",
	"endpoint.identification.algorithm", "hostnameverification", "client.enable",
}

var zookeeperIgnored = []string{
	"cipher.suites", "ciphersuites", "enabled.protocols", "enabledprotocols", "protocol", "crl.enable", "crl", "ocsp.enable", "ocsp",
	"context.supplier.class", "handshakedetectiontimeoutmillis",
}

// LoadZooKeeper reads the file at path, which says how to reach ZooKeeper over TLS; nil if it says that it shall not be.
// ignored are keys that have no effect.
func LoadZooKeeper(path string) (config *tls.Config, ignored []string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	f, err := read(path, data)
	if err != nil {
		return nil, nil, err
	}
	f = f.named(zookeeperName)
	for _, key := range f.props.Keys() {
		name, ssl := strings.CutPrefix(key, zookeeperPrefix)
		switch {
		case ssl && slices.Contains(zookeeperUsed, name), key == "zookeeper.client.secure":
		case ssl && !slices.Contains(zookeeperIgnored, name):
			return nil, nil, f.errorf(key, "not a TLS setting of ZooKeeper; remove it or mend its name")
		case key != "zookeeper.clientcnxnsocket": // a Java class, which TLS needs there
			ignored = append(ignored, key)
		}
	}
	for _, key := range []string{zookeeperPrefix + "client.enable", "zookeeper.client.secure"} {
		if strings.EqualFold(f.get(key), "false") {
			return nil, ignored, nil
		}
	}
	if config, err = f.tls(zookeeperPrefix); err != nil {
		return nil, nil, err
	}
	if strings.EqualFold(f.get(zookeeperPrefix+"hostnameverification"), "false") {
		trustAnyName(config)
	}
	return config, ignored, nil
}

// zookeeperName is one spelling of a key.
func zookeeperName(key string) string {
	key = strings.ToLower(key)
	if strings.HasPrefix(key, "ssl.") || key == "clientcnxnsocket" || key == "client.secure" {
		return "zookeeper." + key
	}
	return key
}

// named is the file with its keys spelled otherwise.
func (f *file) named(spell func(key string) string) *file {
	other := &file{path: f.path, props: properties.NewProperties(), lines: map[string]int{}}
	other.props.DisableExpansion = true
	for _, key := range f.props.Keys() {
		value, _ := f.props.Get(key)
		_, _, _ = other.props.Set(spell(key), value)
		other.lines[spell(key)] = f.lines[key]
	}
	return other
}
