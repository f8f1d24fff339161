package broker

import (
	"net"
	"time"

	"kdrill/node/broker/settings"
)

// connectionLimits are the properties that limit connections, as they are now.
type connectionLimits struct {
	most       int            // max.connections
	rate       float64        // max.connection.creation.rate
	perAddress int            // max.connections.per.ip
	overrides  map[string]int // max.connections.per.ip.overrides, by address
	listeners  map[string]listenerLimits
}

// listenerLimits are those of one listener: its own properties, or else the broker's.
type listenerLimits struct {
	most int
	rate float64
}

func readConnectionLimits(v settings.Values, listeners []string) connectionLimits {
	l := connectionLimits{
		most: int(v.Int("max.connections")), rate: float64(v.Int("max.connection.creation.rate")),
		perAddress: int(v.Int("max.connections.per.ip")), overrides: map[string]int{}, listeners: map[string]listenerLimits{},
	}
	for _, name := range listeners {
		l.listeners[name] = listenerLimits{int(v.ListenerInt(name, "max.connections")), float64(v.ListenerInt(name, "max.connection.creation.rate"))}
	}
	for host, n := range settings.Overrides(v.Text("max.connections.per.ip.overrides")) {
		for _, address := range addressesOf(host) {
			l.overrides[address] = n
		}
	}
	return l
}

// addressesOf are the addresses of a host; connections come from addresses.
func addressesOf(host string) []string {
	if ip := net.ParseIP(host); ip != nil {
		return []string{ip.String()}
	}
	found, err := net.LookupHost(host)
	if err != nil {
		return nil // it is not there now, so nothing comes from it
	}
	return found
}

// metrics shows connections under Kafka's names.
func (c *connections) metrics(s sink, now time.Time) {
	const prefix = "kafka_server_socket_server_metrics_"
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, l := range c.listeners {
		s.gauge(prefix+"connection_count", "Connections.", int64(len(l.stays)), "listener", name)
		s.count(prefix+"connection_creation_total", "Connections that were let in.", l.opened, "listener", name)
		s.count(prefix+"connection_close_total", "Connections that ended.", l.closed, "listener", name)
		s.count(prefix+"successful_authentication_total", "Clients that said who they are, by TLS or SASL.", l.proven, "listener", name)
		s.count(prefix+"failed_authentication_total", "Clients that could not say who they are.", l.failed, "listener", name)
		s.rate(prefix+"connection_accept_rate", "Connections a second of late.", l.rate.PerSecond(now), "listener", name)
		s.count("kdrill_connections_refused_total", "Connections that were closed because of their address.", l.refused, "listener", name)
	}
	s.rate(prefix+"broker_connection_accept_rate", "Connections a second of late, without those of a protected listener.", c.rate.PerSecond(now))
}
