package broker

import "testing"

// toolStores has kafka-configs exchange the certificate of a running broker, and set that of one that is stopped: then it
// encodes the password itself.
func (s *securedCluster) toolStores(t *testing.T, tool func(input, class string, args ...string) string) {
	const configs, of = "kafka.admin.ConfigCommand", "listener.name.mutual.ssl.keystore."
	for id, how := range map[string][]string{
		"1": {"--bootstrap-server", s.brokers[1].addr},
		"2": {"--zookeeper", s.zookeeper},
	} {
		path, certificate := s.sealedStore(t, "tool"+id+".p12")
		set := of + "location=" + path + "," + of + "type=PKCS12," + of + "password=" + storePassword
		number := int32(id[0] - '0')
		if number == 2 {
			s.stopBroker(t, number)
			set += ",password.encoder.secret=" + encoderSecret
		}
		tool("", configs, append(how, "--alter", "--entity-type", "brokers", "--entity-name", id, "--add-config", set)...)
		if number == 2 {
			s.start(s.brokers[number])
			s.awaitBrokers(len(s.brokers))
		}
		if got := s.shown(t, number, "MUTUAL"); !got.Equal(certificate) {
			t.Errorf("broker %s shows certificate %v, want %v", id, got.SerialNumber, certificate.SerialNumber)
		}
	}
	says(t, tool("", configs, "--bootstrap-server", s.brokers[1].addr, "--describe", "--entity-type", "brokers", "--entity-name", "1"),
		of+"password=null sensitive=true synonyms={DYNAMIC_BROKER_CONFIG:"+of+"password=null}")
}
