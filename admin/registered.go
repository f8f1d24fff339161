package admin

import (
	"context"
	"fmt"
	"path"
	"strings"

	"kdrill/admin/security"
	"kdrill/admin/znodes"
	"kdrill/node/layout"
)

// Registered returns the addresses host:port of the brokers that are registered in ZooKeeper: of their listeners with the
// security protocol that cfg.Properties names. It waits for ZooKeeper until ctx ends. Where there is no Kafka there are none.
func Registered(ctx context.Context, cfg Config) ([]string, error) {
	protocol := "PLAINTEXT"
	if cfg.Properties != "" {
		secure, err := security.Load(cfg.Properties)
		if err != nil {
			return nil, err
		}
		protocol = secure.Protocol
	}
	client, err := znodes.Dial(ctx, znodes.Config{Connect: cfg.ZooKeeper, Access: cfg.ZooKeeperAccess, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	const enough = 16 // any that answers will do
	nodes, _, err := client.List(ctx, path.Join("/", client.Chroot(), layout.BrokerIDs), enough)
	if znodes.IsMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, n := range nodes {
		r, err := layout.Decode[layout.BrokerRegistration](n.Path, n.Data)
		if err != nil {
			continue
		}
		if address := listener(r, protocol); address != "" {
			addresses = append(addresses, address)
		}
	}
	if len(nodes) > 0 && len(addresses) == 0 {
		return nil, fmt.Errorf("no broker has a listener for %s: set security.protocol with --command-config client.properties", protocol)
	}
	return addresses, nil
}

// listener is the address of a broker's first listener with a protocol, "" if it has none.
func listener(r layout.BrokerRegistration, protocol string) string {
	for _, endpoint := range r.Endpoints {
		name, address, ok := strings.Cut(endpoint, "://")
		mapped, known := r.SecurityProtocol[name]
		if !known { // up to 0.10.1 a listener's name was its protocol
			mapped = name
		}
		if ok && mapped == protocol {
			return address
		}
	}
	return ""
}
