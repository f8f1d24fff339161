package broker

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/settings"
)

// rootLogger is above all others.
const rootLogger = "root"

// The loggers of a broker, by what Kafka calls those of the same parts.
const (
	kafkaLogger       = "kafka"
	serverLogger      = "kafka.server"
	networkLogger     = "kafka.network"
	logLogger         = "kafka.log"
	replicaLogger     = "kafka.cluster"
	controllerLogger  = "kafka.controller"
	groupLogger       = "kafka.coordinator.group"
	transactionLogger = "kafka.coordinator.transaction"
	authorizerLogger  = "kafka.authorizer.logger"
)

// levelNames are Kafka's names of levels.
var levelNames = map[string]slog.Level{
	"TRACE": -8, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn, "ERROR": slog.LevelError, "FATAL": 12,
}

func levelName(level slog.Level) string {
	for name, l := range levelNames {
		if l == level {
			return name
		}
	}
	return level.String()
}

// loggers write to one log, each what is of its level at least. One without a level of its own has that of the nearest
// above it by its name.
type loggers struct {
	out slog.Handler

	mu  sync.Mutex
	own map[string]slog.Level     // what was set
	now map[string]*slog.LevelVar // what holds, of all
}

func newLoggers(out io.Writer) *loggers {
	const all = slog.Level(-100) // each logger has its level
	l := &loggers{
		out: slog.NewTextHandler(out, &slog.HandlerOptions{Level: all}),
		own: map[string]slog.Level{rootLogger: slog.LevelInfo}, now: map[string]*slog.LevelVar{},
	}
	for _, name := range []string{
		rootLogger, kafkaLogger, serverLogger, networkLogger, logLogger, replicaLogger, controllerLogger, groupLogger, transactionLogger, authorizerLogger,
	} {
		l.now[name] = new(slog.LevelVar)
	}
	return l
}

// named is one of the loggers.
func (l *loggers) named(name string) *slog.Logger { return slog.New(levelled{l.out, l.now[name]}) }

// levels are those that hold, by logger.
func (l *loggers) levels() map[string]string {
	levels := map[string]string{}
	for name, level := range l.now {
		levels[name] = levelName(level.Level())
	}
	return levels
}

// change sets levels, nil has a logger follow the one above it.
func (l *loggers) change(levels map[string]*slog.Level) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, level := range levels {
		delete(l.own, name)
		if level != nil {
			l.own[name] = *level
		}
	}
	for name, level := range l.now {
		level.Set(l.resolve(name))
	}
}

// resolve finds the level of a logger or of the nearest above it. Needs mu.
func (l *loggers) resolve(name string) slog.Level {
	for {
		if level, ok := l.own[name]; ok {
			return level
		}
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return l.own[rootLogger]
		}
		name = name[:dot]
	}
}

// levelled is a handler with a level that may change.
type levelled struct {
	slog.Handler
	level *slog.LevelVar
}

func (h levelled) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level.Level() }

func (h levelled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelled{h.Handler.WithAttrs(attrs), h.level}
}

func (h levelled) WithGroup(name string) slog.Handler {
	return levelled{h.Handler.WithGroup(name), h.level}
}

// describeLoggers are the levels as configurations.
func (b *Broker) describeLoggers() (entries []settings.Entry) {
	levels := b.loggers.levels()
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		level := levels[name]
		entries = append(entries, settings.Entry{
			Definition: settings.Definition{Name: name, Type: kmsg.ConfigTypeString}, Value: &level, Source: kmsg.ConfigSourceDynamicBrokerLoggerConfig,
		})
	}
	return entries
}

// alterLoggers changes levels, until the broker is restarted.
func (b *Broker) alterLoggers(name string, validateOnly bool, changes []kmsg.IncrementalAlterConfigsRequestResourceConfig) error {
	if err := b.isOwnLogger(name); err != nil {
		return err
	}
	levels := map[string]*slog.Level{}
	for _, c := range changes {
		_, known := b.loggers.now[c.Name]
		switch {
		case c.Op != kmsg.IncrementalAlterConfigOpSet && c.Op != kmsg.IncrementalAlterConfigOpDelete:
			return refuse(kerr.InvalidRequest, "levels of loggers can only be set or deleted")
		case !known:
			return refuse(kerr.InvalidConfig, "there is no logger %s, only %s", c.Name, strings.Join(slices.Sorted(maps.Keys(b.loggers.now)), ", "))
		case c.Op == kmsg.IncrementalAlterConfigOpDelete && c.Name == rootLogger:
			return refuse(kerr.InvalidRequest, "the level of the logger root can be set, not deleted")
		case c.Op == kmsg.IncrementalAlterConfigOpDelete:
			levels[c.Name] = nil
			continue
		case c.Value == nil:
			return refuse(kerr.InvalidRequest, "null value not supported for %s", c.Name)
		}
		level, ok := levelNames[*c.Value]
		if !ok {
			return refuse(kerr.InvalidConfig, "logger %s cannot have the level %s, only %s", c.Name, *c.Value, strings.Join(slices.Sorted(maps.Keys(levelNames)), ", "))
		}
		levels[c.Name] = &level
	}
	if validateOnly {
		return nil
	}
	b.loggers.change(levels)
	for _, c := range changes {
		b.log.Warn("log level changed", "logger", c.Name, "level", b.loggers.levels()[c.Name])
	}
	return nil
}

func (b *Broker) isOwnLogger(name string) error {
	if name == "" {
		return refuse(kerr.InvalidRequest, "loggers are those of one broker: its id must be named")
	}
	return b.isOwnName(name)
}
