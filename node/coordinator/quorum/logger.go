package quorum

import (
	"context"
	"fmt"
	"log/slog"
)

// raftLogger lets the library write into the node's log: elections are for who debugs, warnings for all.
type raftLogger struct{ log *slog.Logger }

func (l raftLogger) at(level slog.Level, text func() string) {
	if ctx := context.Background(); l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "raft: "+text())
	}
}

func (l raftLogger) print(level slog.Level, v []any) {
	l.at(level, func() string { return fmt.Sprint(v...) })
}

func (l raftLogger) printf(level slog.Level, f string, v []any) {
	l.at(level, func() string { return fmt.Sprintf(f, v...) })
}

func (l raftLogger) Debug(v ...any)              { l.print(slog.LevelDebug, v) }
func (l raftLogger) Debugf(f string, v ...any)   { l.printf(slog.LevelDebug, f, v) }
func (l raftLogger) Info(v ...any)               { l.print(slog.LevelDebug, v) }
func (l raftLogger) Infof(f string, v ...any)    { l.printf(slog.LevelDebug, f, v) }
func (l raftLogger) Warning(v ...any)            { l.print(slog.LevelWarn, v) }
func (l raftLogger) Warningf(f string, v ...any) { l.printf(slog.LevelWarn, f, v) }
func (l raftLogger) Error(v ...any)              { l.print(slog.LevelError, v) }
func (l raftLogger) Errorf(f string, v ...any)   { l.printf(slog.LevelError, f, v) }
func (raftLogger) Fatal(v ...any)                { panic(fmt.Sprint(v...)) }
func (raftLogger) Fatalf(f string, v ...any)     { panic(fmt.Sprintf(f, v...)) }
func (raftLogger) Panic(v ...any)                { panic(fmt.Sprint(v...)) }
func (raftLogger) Panicf(f string, v ...any)     { panic(fmt.Sprintf(f, v...)) }
