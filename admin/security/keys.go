package security

import "strings"

// used are the keys that have an effect.
var used = []string{
	"security.protocol", "sasl.mechanism", "sasl.jaas.config",
	"ssl.truststore.location", "ssl.truststore.type", "ssl.truststore.password", "ssl.truststore.certificates",
	"ssl.keystore.location", "ssl.keystore.type", "ssl.keystore.password", "ssl.keystore.key", "ssl.keystore.certificate.chain",
	"ssl.key.password", "ssl.endpoint.identification.algorithm",
	"ssl.ca", "ssl.ca.location", "ssl.certificate.location", "ssl.key.location",
}

// ignored are prefixes and names of settings that Apache's tools know and that change nothing here.
var ignored = []string{
	"bootstrap.servers", "client.id", "client.dns.lookup", "client.rack", "request.timeout.ms", "default.api.timeout.ms",
	"retries", "retry.", "reconnect.", "socket.", "send.buffer.bytes", "receive.buffer.bytes", "connections.max.idle.ms",
	"metadata.", "metric.", "metrics.", "enable.", "auto.", "interceptor.classes", "security.providers", "bootstrap.controllers",
	"ssl.protocol", "ssl.provider", "ssl.enabled.protocols", "ssl.cipher.suites", "ssl.keymanager.algorithm",
	"ssl.trustmanager.algorithm", "ssl.secure.random.implementation", "ssl.engine.factory.class",
	"sasl.kerberos.", "sasl.login.", "sasl.oauthbearer.", "sasl.client.callback.handler.class",
	"acks", "batch.size", "buffer.memory", "compression.", "delivery.timeout.ms", "linger.ms", "max.", "partitioner.",
	"transactional.id", "transaction.timeout.ms", "key.", "value.", "group.", "session.timeout.ms", "heartbeat.interval.ms",
	"fetch.", "isolation.level", "check.crcs", "exclude.internal.topics", "allow.auto.create.topics", "partition.assignment.strategy",
}

func known(key string) bool {
	for _, name := range ignored {
		if key == name || strings.HasSuffix(name, ".") && strings.HasPrefix(key, name) {
			return true
		}
	}
	return false
}
