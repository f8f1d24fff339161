package settings

import "kdrill/node/config"

// agree rejects values that a broker of Kafka's does not start with: alone or together they make no sense.
func (s *Settings) agree(file *config.File) {
	const addresses, noneElse = "max.connections.per.ip", "max.connections.per.ip.overrides"
	for _, rule := range []struct {
		key   string
		holds bool
		says  string
	}{
		{"broker.id", s.Int("broker.id") <= s.Int("reserved.broker.max.id") || !s.Bool("broker.id.generation.enable"), "must not be more than reserved.broker.max.id: raise that, or set broker.id.generation.enable=false"},
		{"log.roll.ms", s.TopicInt("segment.ms") >= 1, "must be 1 or more"},
		{"log.roll.jitter.ms", s.TopicInt("segment.jitter.ms") >= 0, "must be 0 or more"},
		{"log.retention.ms", s.TopicInt("retention.ms") >= 1 || s.TopicInt("retention.ms") == -1, "must be 1 or more, or -1 to keep everything"},
		{"log.cleaner.dedupe.buffer.size", s.Int("log.cleaner.dedupe.buffer.size")/max(1, s.Int("log.cleaner.threads")) > 1<<20, "must be more than 1 MiB for each of log.cleaner.threads"},
		{"replica.fetch.wait.max.ms", s.Int("replica.fetch.wait.max.ms") <= s.Int("replica.socket.timeout.ms"), "must not be more than replica.socket.timeout.ms: every fetch would be given up"},
		{"replica.fetch.wait.max.ms", s.Int("replica.fetch.wait.max.ms") <= s.Int("replica.lag.time.max.ms"), "must not be more than replica.lag.time.max.ms: followers would leave the isr whenever nothing is written"},
		{"queued.max.request.bytes", s.Int("queued.max.request.bytes") <= 0 || s.Int("queued.max.request.bytes") >= s.Int("socket.request.max.bytes"), "must not be less than socket.request.max.bytes"},
		{addresses, s.Int(addresses) != 0 || s.Text(noneElse) != "", "0 lets nobody connect: it goes with " + noneElse + " only"},
		{"connection.failed.authentication.delay.ms", s.Int("connections.max.idle.ms") <= 0 || s.Int("connection.failed.authentication.delay.ms") < s.Int("connections.max.idle.ms"), "must be less than connections.max.idle.ms"},
	} {
		if !rule.holds {
			file.Reject(rule.key, "%s", rule.says)
		}
	}
}
