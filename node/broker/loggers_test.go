package broker

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/settings"
)

func TestLevelsOfLoggersChangeWhileTheBrokerRuns(t *testing.T) {
	var out bytes.Buffer
	b := &Broker{settings: &settings.Settings{BrokerID: 1}, loggers: newLoggers(&out)}
	b.log = b.loggers.named(serverLogger)
	type change = kmsg.IncrementalAlterConfigsRequestResourceConfig
	set := func(name, level string) change {
		return change{Name: name, Op: kmsg.IncrementalAlterConfigOpSet, Value: &level}
	}
	unset := func(name string) change { return change{Name: name, Op: kmsg.IncrementalAlterConfigOpDelete} }
	said := func() string { // what of four lines is written
		out.Reset()
		for _, name := range []string{controllerLogger, groupLogger} {
			log := b.loggers.named(name).With("part", name)
			log.Debug("detail")
			log.Info("news")
		}
		text := ""
		for line := range strings.Lines(out.String()) {
			_, line, _ = strings.Cut(strings.TrimSpace(line), "level=")
			text += line + ";"
		}
		return text
	}
	const controller, group = `INFO msg=news part=kafka.controller;`, `INFO msg=news part=kafka.coordinator.group;`
	for _, step := range []struct {
		changes []change
		want    string
	}{
		{nil, controller + group},
		{[]change{set(groupLogger, "ERROR")}, controller},
		{[]change{set(rootLogger, "DEBUG")}, `DEBUG msg=detail part=kafka.controller;` + controller},
		{[]change{set(kafkaLogger, "WARN")}, ""},
		{[]change{unset(groupLogger), set(kafkaLogger, "INFO")}, controller + group},
		{[]change{unset(kafkaLogger), set(rootLogger, "FATAL")}, ""},
	} {
		if err := b.alterLoggers("1", true, step.changes); err != nil {
			t.Fatal(err)
		}
		if err := b.alterLoggers("1", false, step.changes); err != nil {
			t.Fatal(err)
		}
		if got := said(); got != step.want {
			t.Errorf("%v: said %q, want %q", step.changes, got, step.want)
		}
	}
	for what, refused := range map[string]struct {
		broker string
		change change
		want   error
	}{
		"another broker's":       {"2", set(rootLogger, "INFO"), kerr.InvalidRequest},
		"those of all brokers":   {"", set(rootLogger, "INFO"), kerr.InvalidRequest},
		"a level there is not":   {"1", set(rootLogger, "LOUD"), kerr.InvalidConfig},
		"a logger there is not":  {"1", set("kafka.raft", "INFO"), kerr.InvalidConfig},
		"no level":               {"1", change{Name: rootLogger}, kerr.InvalidRequest},
		"root without its level": {"1", unset(rootLogger), kerr.InvalidRequest},
		"a list":                 {"1", change{Name: rootLogger, Op: kmsg.IncrementalAlterConfigOpAppend}, kerr.InvalidRequest},
	} {
		if err := b.alterLoggers(refused.broker, false, []change{set(kafkaLogger, "TRACE"), refused.change}); !errors.Is(err, refused.want) {
			t.Errorf("%s: %v", what, err)
		}
		if level := b.loggers.levels()[kafkaLogger]; level != "FATAL" {
			t.Errorf("%s: the change before it was made: %s", what, level)
		}
	}
}
