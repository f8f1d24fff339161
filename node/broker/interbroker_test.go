package broker

import (
	"crypto/x509/pkix"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/authorizer"
)

// TestWaysBetweenBrokers has brokers prove to each other who they are in the ways that [TestSecuredBrokers] does not. An
// authorizer sees to it that they have to.
func TestWaysBetweenBrokers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts four processes")
	}
	ca := newAuthority(t, t.TempDir())
	mine := ca.issue(pkix.Name{CommonName: "broker", Organization: []string{"kdrill"}})
	for name, c := range map[string]struct{ protocol, principal, properties string }{
		"PLAIN": {"SASL_PLAINTEXT", "User:brokers", `sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.inside.sasl.enabled.mechanisms=PLAIN
listener.name.inside.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=brokers password=word user_brokers=word;
`},
		"mutual TLS": {"SSL", "User:CN=broker,O=kdrill", fmt.Sprintf(`ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location=%s
ssl.truststore.type=PEM
ssl.truststore.location=%s
`, mine, filepath.Join(ca.dir, "ca.pem"))},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := startClusterWith(t, 1, 3, func(cluster *testCluster, id int32, properties string) string {
				if id == 1 { // with a list there is nobody else who may act for the cluster
					on := authorizer.Resource{Type: kmsg.ACLResourceTypeCluster, Name: authorizer.ClusterName, Pattern: kmsg.ACLResourcePatternTypeLiteral}
					cluster.seed(on.Path(), authorizer.Encode([]authorizer.Entry{{
						Principal: c.principal, Host: authorizer.AnyHost, Operation: kmsg.ACLOperationClusterAction, Permission: kmsg.ACLPermissionTypeAllow,
					}}))
				}
				first, rest, _ := strings.Cut(properties, "\nlog.dirs")
				return first + ",INSIDE://127.0.0.1:0\nlog.dirs" + rest + c.properties + fmt.Sprintf(`
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INSIDE:%s
inter.broker.listener.name=INSIDE
authorizer.class.name=kafka.security.authorizer.AclAuthorizer
allow.everyone.if.no.acl.found=true
`, c.protocol)
			})
			cluster.create(t, "inside", 3, nil)
			produce(t, cluster.client(t), "inside", 0, 100)
			cluster.awaitISR(t, "inside", 3)
			cluster.consume(t, "inside", 100)
		})
	}
}
