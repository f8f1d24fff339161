package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kdrill/admin"
	"kdrill/admin/records"
)

// tailFlags are the flags of tail.
type tailFlags struct {
	follow, beginning, values bool
	last, max                 int
	since                     string
	partitions                []int32
	key, value, header, any   []string
}

// newTail prints records.
func newTail(a *app) *cobra.Command {
	var f tailFlags
	c := &cobra.Command{
		Use:   "tail TOPIC",
		Short: "Print the last records of a topic, with -f as they come",
		Long: "Print the last 10 records of a topic, or those that -n, --from-beginning or --since ask for; with -f go on\n" +
			"with what comes. Filters are regular expressions, a leading ! turns one round; a record has to pass all.",
		Args: oneArg("topic"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var starts []string
			for _, flag := range []string{"from-beginning", "since", "last"} {
				if cmd.Flags().Changed(flag) {
					starts = append(starts, "--"+flag)
				}
			}
			if len(starts) > 1 {
				return usagef("%s: only one of them can say where to start", strings.Join(starts, " and "))
			}
			spec, err := f.spec(args[0], time.Now())
			if err != nil {
				return err
			}
			return a.withClient(cmd.Context(), func(client *admin.Client) error {
				t, err := client.Tail(spec)
				if err != nil {
					return err
				}
				return a.tail(cmd.Context(), t, f.values)
			})
		},
	}
	flags := c.Flags()
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with records as they come")
	flags.BoolVar(&f.beginning, "from-beginning", false, "start at the first record")
	flags.IntVarP(&f.last, "last", "n", 10, "start at the last so many records; with -f, 0 starts at the end")
	flags.StringVar(&f.since, "since", "", "start at a time (2006-01-02T15:04:05Z, milliseconds since 1970) or so long ago (10m)")
	flags.Int32SliceVarP(&f.partitions, "partition", "p", nil, "only these partitions")
	flags.StringArrayVar(&f.key, "key", nil, "only records whose key matches")
	flags.StringArrayVar(&f.value, "value", nil, "only records whose value matches")
	flags.StringArrayVar(&f.header, "header", nil, "only records with a header that matches as name=value")
	flags.StringArrayVar(&f.any, "match", nil, "only records whose key, value or a header matches")
	flags.IntVar(&f.max, "max", 0, "end after so many records")
	flags.BoolVar(&f.values, "values", false, "print values only, as they are")
	return c
}

func (f tailFlags) spec(topic string, now time.Time) (records.Spec, error) {
	spec := records.Spec{Topic: topic, Partitions: f.partitions, Follow: f.follow, Max: f.max}
	switch {
	case f.last < 0:
		return spec, usagef("--last %d: must not be negative", f.last)
	case f.beginning:
		spec.Start.Kind = records.StartBeginning
	case f.since != "":
		at, err := parseSince(f.since, now)
		if err != nil {
			return spec, err
		}
		spec.Start = records.Start{Kind: records.StartTime, Time: at}
	case f.last == 0:
		spec.Start.Kind = records.StartEnd
	default:
		spec.Start = records.Start{Kind: records.StartLast, Last: f.last}
	}
	for _, group := range []struct {
		field records.Field
		texts []string
	}{{records.FieldKey, f.key}, {records.FieldValue, f.value}, {records.FieldHeader, f.header}, {records.FieldAny, f.any}} {
		for _, text := range group.texts {
			filter, err := records.ParseFilter(group.field, text)
			if err != nil {
				return spec, usageError{err}
			}
			spec.Filters = append(spec.Filters, filter)
		}
	}
	return spec, nil
}

// parseSince reads a point in time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	var ms int64
	if n, err := fmt.Sscanf(text+"\n", "%d\n", &ms); err == nil && n == 1 && ms > 0 {
		return time.UnixMilli(ms), nil
	}
	return time.Time{}, usagef("--since %s: write a time such as 2006-01-02T15:04:05Z, milliseconds since 1970, or how long ago such as 10m", text)
}

func (a *app) tail(ctx context.Context, t *records.Tail, values bool) error {
	out := bufio.NewWriter(a.out)
	defer out.Flush()
	quiet := time.NewTicker(50 * time.Millisecond)
	defer quiet.Stop()
	lines := make(chan []byte, 256)
	ended := make(chan error, 1)
	reading, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		err := t.Each(reading, func(r records.Record) error {
			line, err := a.recordLine(r, values)
			if err != nil {
				return err
			}
			select {
			case lines <- line:
				return nil
			case <-reading.Done():
				return reading.Err()
			}
		})
		close(lines)
		ended <- err
	}()
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				err := <-ended
				if errors.Is(err, context.Canceled) { // ctrl+c is how one ends it
					return nil
				}
				return err
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
		case <-quiet.C:
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

// recordLine is a record on a line of its own.
func (a *app) recordLine(r records.Record, values bool) ([]byte, error) {
	switch {
	case values:
		return append(r.Value[:len(r.Value):len(r.Value)], '\n'), nil
	case a.output == "json":
		line, err := r.MarshalJSON()
		return append(line, '\n'), err
	}
	key, value := "-", "-"
	if r.Key != nil {
		key = records.Text(r.Key)
	}
	if r.Value != nil {
		value = records.Text(r.Value)
	}
	return fmt.Appendf(nil, "%3d %10d  %s  %s  %s\n", r.Partition, r.Offset, r.Time.Local().Format("15:04:05.000"), key, value), nil
}
