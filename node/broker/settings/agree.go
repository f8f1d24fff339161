package settings

import (
	"fmt"

	"kdrill/node/config"
)

// agree rejects values that a broker of Kafka's does not start with: alone or together they make no sense.
func (s *Settings) agree(file *config.File) {
	for _, c := range s.contradictions() {
		file.Reject(c.key, "%s", c.says)
	}
}

// CheckChange says why a running broker cannot go from v to next: as in Kafka, threads become at most twice as many at
// once, and at least half.
func (v Values) CheckChange(next Values) error {
	for _, name := range []string{
		"background.threads", "log.cleaner.threads", "num.io.threads", "num.network.threads", "num.recovery.threads.per.data.dir", "num.replica.fetchers",
	} {
		now, then := v.Int(name), next.Int(name)
		if least, most := max(1, now/2), 2*now; then != now && (then < least || then > most) {
			return fmt.Errorf("invalid value %d for configuration %s: it is %d now, which can change to %d to %d at once", then, name, now, least, most)
		}
	}
	if wrong := next.contradictions(); len(wrong) > 0 {
		return fmt.Errorf("%s: %s", wrong[0].key, wrong[0].says)
	}
	return nil
}

// contradiction is what makes no sense about a property's value.
type contradiction struct{ key, says string }

func (v Values) contradictions() (all []contradiction) {
	const addresses, noneElse = "max.connections.per.ip", "max.connections.per.ip.overrides"
	for _, rule := range []struct {
		key   string
		holds bool
		says  string
	}{
		{"broker.id", v.Int("broker.id") <= v.Int("reserved.broker.max.id") || !v.Bool("broker.id.generation.enable"), "must not be more than reserved.broker.max.id: raise that, or set broker.id.generation.enable=false"},
		{"log.roll.ms", v.TopicInt("segment.ms") >= 1, "must be 1 or more"},
		{"log.roll.jitter.ms", v.TopicInt("segment.jitter.ms") >= 0, "must be 0 or more"},
		{"log.retention.ms", v.TopicInt("retention.ms") >= 1 || v.TopicInt("retention.ms") == -1, "must be 1 or more, or -1 to keep everything"},
		{"log.cleaner.dedupe.buffer.size", v.Int("log.cleaner.dedupe.buffer.size")/max(1, v.Int("log.cleaner.threads")) > 1<<20, "must be more than 1 MiB for each of log.cleaner.threads"},
		{"replica.fetch.wait.max.ms", v.Int("replica.fetch.wait.max.ms") <= v.Int("replica.socket.timeout.ms"), "must not be more than replica.socket.timeout.ms: every fetch would be given up"},
		{"replica.fetch.wait.max.ms", v.Int("replica.fetch.wait.max.ms") <= v.Int("replica.lag.time.max.ms"), "must not be more than replica.lag.time.max.ms: followers would leave the isr whenever nothing is written"},
		{"queued.max.request.bytes", v.Int("queued.max.request.bytes") <= 0 || v.Int("queued.max.request.bytes") >= v.Int("socket.request.max.bytes"), "must not be less than socket.request.max.bytes"},
		{addresses, v.Int(addresses) != 0 || v.Text(noneElse) != "", "0 lets nobody connect: it goes with " + noneElse + " only"},
		{"connection.failed.authentication.delay.ms", v.Int("connections.max.idle.ms") <= 0 || v.Int("connection.failed.authentication.delay.ms") < v.Int("connections.max.idle.ms"), "must be less than connections.max.idle.ms"},
	} {
		if !rule.holds {
			all = append(all, contradiction{rule.key, rule.says})
		}
	}
	return all
}
