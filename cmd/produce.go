package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"kdrill/admin"
	"kdrill/admin/records"
)

// produceFlags are the flags of produce.
type produceFlags struct {
	spec    records.Produce
	acks    string
	key     string // separator between key and value, empty = no keys
	headers []string
}

// newProduce sends lines.
func newProduce(a *app) *cobra.Command {
	var f produceFlags
	c := &cobra.Command{
		Use:   "produce TOPIC",
		Short: "Send each line of standard input as a record",
		Args:  oneArg("topic"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.spec.Topic, f.spec.Acks = args[0], records.Acks(f.acks)
			if f.acks != "all" && !cmd.Flags().Changed("idempotent") {
				f.spec.Idempotent = false
			}
			return a.withClient(cmd.Context(), func(client *admin.Client) error { return a.produce(cmd.Context(), client, f) })
		},
	}
	flags := c.Flags()
	flags.StringVarP(&f.key, "key", "k", "", "separator between a record's key and its value")
	flags.StringArrayVarP(&f.headers, "header", "H", nil, "name=value added to every record, may be repeated")
	flags.Int32VarP(&f.spec.Partition, "partition", "p", -1, "partition (default: by key, or spread)")
	flags.StringVar(&f.acks, "acks", "all", "0, 1 or all")
	flags.StringVar(&f.spec.Compression, "compression", "none", "none, gzip, snappy, lz4 or zstd")
	flags.BoolVar(&f.spec.Idempotent, "idempotent", true, "no duplicates when a record has to be sent again (with --acks all)")
	flags.DurationVar(&f.spec.Timeout, "timeout", 30*time.Second, "give a record up after this time")
	return c
}

func (a *app) produce(ctx context.Context, client *admin.Client, f produceFlags) error {
	headers, err := headersOf(f.headers)
	if err != nil {
		return err
	}
	p, err := client.Producer(ctx, f.spec)
	if err != nil {
		return err
	}
	stop := a.showProgress(p)
	readErr := a.sendLines(ctx, p, []byte(f.key), headers)
	// What was read is brought to its end, ctrl+c or not: a second one ends the program.
	flushed, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.spec.Timeout+time.Second)
	defer cancel()
	summary, err := p.Close(flushed)
	stop()
	if err := errors.Join(readErr, a.printSummary(f.spec.Topic, summary)); err != nil {
		return err
	}
	return err
}

func headersOf(pairs []string) ([]records.Header, error) {
	var headers []records.Header
	for _, pair := range pairs {
		name, value, ok := bytes.Cut([]byte(pair), []byte("="))
		if !ok {
			return nil, usagef("--header %s: write name=value", pair)
		}
		headers = append(headers, records.Header{Key: string(name), Value: value})
	}
	return headers, nil
}

// sendLines sends until the input or ctx ends. Reading blocks: it happens beside the waiting for ctrl+c.
func (a *app) sendLines(ctx context.Context, p *records.Producer, separator []byte, headers []records.Header) error {
	lines := make(chan []byte, 1024)
	failed := make(chan error, 1)
	go func() {
		defer close(lines)
		in := bufio.NewReaderSize(a.in, 64<<10)
		for {
			line, err := in.ReadBytes('\n')
			if text := bytes.TrimRight(line, "\r\n"); len(line) > 0 {
				select {
				case lines <- text:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					failed <- err
				}
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case line, ok := <-lines:
			if !ok {
				select {
				case err := <-failed:
					return fmt.Errorf("read standard input: %w", err)
				default:
					return nil
				}
			}
			r := records.Record{Value: line, Headers: headers}
			if len(separator) > 0 {
				if key, value, found := bytes.Cut(line, separator); found {
					r.Key, r.Value = key, value
				}
			}
			p.Send(ctx, r)
		}
	}
}

// showProgress writes a line a second to a terminal.
func (a *app) showProgress(p *records.Producer) (stop func()) {
	if !terminal(a.err) {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				s := p.Progress()
				fmt.Fprintf(a.err, "\r%s sent, %s acknowledged ", number(s.Sent), number(s.Acked))
			}
		}
	}()
	return func() {
		close(done)
		<-ended
		fmt.Fprint(a.err, "\r\x1b[K")
	}
}

func (a *app) printSummary(topic string, s records.Summary) error {
	if a.output == "json" {
		return a.printJSON(s)
	}
	rate := float64(s.Acked) / max(s.Elapsed.Seconds(), 0.001)
	_, err := fmt.Fprintf(a.out, "%s of %s records acknowledged by %s in %.2f s (%.0f/s, %s), median %v, p99 %v\n",
		number(s.Acked), number(s.Sent), topic, s.Elapsed.Seconds(), rate, size(s.Bytes), s.Median.Round(100*time.Microsecond), s.P99.Round(100*time.Microsecond))
	return err
}
