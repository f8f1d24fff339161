package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"kdrill/node/log"
	"kdrill/node/wire"
)

// drained is what a reader of a whole topic reports that does nothing with records but to look where batches end: the
// client of any language costs more, on the same processors, than a broker does.
type drained struct {
	Bytes  int64
	Took   time.Duration
	Answer []time.Duration // the time to the whole answer, of each fetch
}

// drainer reads a topic from its start to the end that it has then, several times, one fetch at a time from each broker, with the sizes
// that consumers ask for by default. As a process of its own it prints what it saw.
//
//	drain BOOTSTRAP,... TOPIC
func drainer(args []string) int {
	var seen drained
	var err error
	for range passes {
		var once drained
		once, err = drain(context.Background(), strings.Split(args[0], ","), args[1])
		if err != nil {
			break
		}
		seen.Bytes, seen.Took, seen.Answer = seen.Bytes+once.Bytes, seen.Took+once.Took, append(seen.Answer, once.Answer...)
	}
	slices.Sort(seen.Answer)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(seen)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// drain lets the drainer run beside this process.
func (c *contender) drain(topic string) drained {
	out, err := exec.Command("drain", strings.Join(c.bootstrap(), ","), topic).Output()
	if err != nil {
		c.T.Fatalf("%s: drain %s: %v", c.engine, topic, err)
	}
	var seen drained
	if err := json.Unmarshal(out, &seen); err != nil {
		c.T.Fatal(err)
	}
	return seen
}

func drain(ctx context.Context, bootstrap []string, topic string) (drained, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...))
	if err != nil {
		return drained{}, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	known, err := admin.Metadata(ctx, topic)
	if err != nil {
		return drained{}, err
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return drained{}, err
	}
	var parts []*spigot
	for _, b := range known.Brokers {
		conn, err := wire.Dial(ctx, fmt.Sprintf("%s:%d", b.Host, b.Port), "drain")
		if err != nil {
			return drained{}, err
		}
		defer conn.Close()
		conn.Recycle()
		part := &spigot{conn: conn, topic: topic, next: map[int32]int64{}, ends: map[int32]int64{}}
		for _, p := range known.Topics[topic].Partitions {
			if end, _ := ends.Lookup(topic, p.Partition); p.Leader == b.NodeID && end.Offset > 0 {
				part.next[p.Partition], part.ends[p.Partition] = 0, end.Offset
			}
		}
		parts = append(parts, part)
	}
	began := time.Now()
	var group errgroup.Group
	for _, p := range parts {
		group.Go(func() error { return p.run(ctx) })
	}
	err = group.Wait()
	all := drained{Took: time.Since(began)}
	for _, p := range parts {
		all.Bytes += p.seen.Bytes
		all.Answer = append(all.Answer, p.seen.Answer...)
	}
	return all, err
}

// spigot reads the partitions that one broker leads.
type spigot struct {
	conn       *wire.Client
	topic      string
	next, ends map[int32]int64 // of each partition that is not at its end
	seen       drained
}

// What consumers ask for by default.
const (
	fetchBytes     = 50 << 20
	partitionBytes = 1 << 20
)

func (s *spigot) run(ctx context.Context) error {
	for len(s.next) > 0 {
		began := time.Now()
		answer, err := s.conn.Request(ctx, s.request())
		if err != nil {
			return err
		}
		s.seen.Answer = append(s.seen.Answer, time.Since(began))
		for _, t := range answer.(*kmsg.FetchResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("fetch %s/%d: %w", s.topic, p.Partition, err)
				}
				s.took(p.Partition, p.RecordBatches)
			}
		}
	}
	return nil
}

func (s *spigot) request() *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.SessionEpoch, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 12, -1, 500, 1, fetchBytes
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = s.topic
	for id, offset := range s.next {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes = id, offset, partitionBytes
		topic.Partitions = append(topic.Partitions, p)
	}
	req.Topics = append(req.Topics, topic)
	return req
}

// took notes the whole batches of an answer. Apache's brokers cut the last one off where the size ends.
func (s *spigot) took(partition int32, batches []byte) {
	for b, err := range log.Batches(batches) {
		if err != nil {
			break
		}
		s.next[partition] = b.LastOffset() + 1
		s.seen.Bytes += int64(b.Size())
	}
	if s.next[partition] >= s.ends[partition] {
		delete(s.next, partition)
	}
}
