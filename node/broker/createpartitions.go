package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// createPartitions serves CreatePartitions, versions 0 to 3: on the controller, and answered when the new partitions
// have leaders or the time is over.
func (b *Broker) createPartitions(ctx context.Context, req *kmsg.CreatePartitionsRequest) *kmsg.CreatePartitionsResponse {
	response := kmsg.NewPtrCreatePartitionsResponse()
	limit, cancel := context.WithTimeout(ctx, time.Duration(req.TimeoutMillis)*time.Millisecond)
	defer cancel()
	count := map[string]int{}
	for _, t := range req.Topics {
		count[t.Topic]++
	}
	for _, t := range req.Topics {
		answer := kmsg.NewCreatePartitionsResponseTopic()
		answer.Topic = t.Topic
		var err error
		switch {
		case !b.controller.Active():
			err = kerr.NotController
		case count[t.Topic] > 1:
			err = refuse(kerr.InvalidRequest, "topic %s is there %d times", t.Topic, count[t.Topic])
		default:
			err = b.addPartitions(ctx, t, req.ValidateOnly)
		}
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), textOf(err)
		response.Topics = append(response.Topics, answer)
	}
	for i := range response.Topics {
		t := &response.Topics[i]
		if t.ErrorCode != 0 || req.ValidateOnly {
			continue
		}
		if b.awaitLed(limit, t.Topic, int(req.Topics[i].Count)) != nil {
			err := refuse(kerr.RequestTimedOut, "partitions were added to %s, but not all have a leader yet", t.Topic)
			t.ErrorCode, t.ErrorMessage = codeOf(err), textOf(err)
		}
	}
	return response
}

func (b *Broker) addPartitions(ctx context.Context, t kmsg.CreatePartitionsRequestTopic, validateOnly bool) error {
	path := layout.Topic(t.Topic)
	data, stat, err := b.zk.get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return refuse(kerr.UnknownTopicOrPartition, "there is no topic %s", t.Topic)
	} else if err != nil {
		return err
	}
	assignment, err := layout.Decode[layout.TopicAssignment](path, data)
	if err != nil {
		return err
	}
	if len(assignment.Adding) > 0 || len(assignment.Removing) > 0 {
		return refuse(kerr.ReassignmentInProgress, "topic %s is being reassigned", t.Topic)
	}
	live, err := b.liveBrokers(ctx)
	if err != nil {
		return err
	}
	added, err := placePartitions(assignment, t, live, b.racks())
	if err != nil || validateOnly {
		return err
	}
	if err := mutate(ctx, len(added)); err != nil {
		return err
	}
	assignment.Partitions = maps.Clone(assignment.Partitions)
	have := len(assignment.Partitions)
	for i, replicas := range added {
		assignment.Partitions[strconv.Itoa(have+i)] = replicas
	}
	if err := b.zk.do(ctx, func() error {
		_, err := b.zk.Set(path, layout.Encode(assignment), stat.Version)
		return err
	}); err != nil {
		return fmt.Errorf("add partitions to %s: %w", t.Topic, err)
	}
	b.log.Info("partitions added", "topic", t.Topic, "partitions", t.Count)
	return nil
}

// placePartitions decides which brokers get the partitions that a topic is to have more.
func placePartitions(a layout.TopicAssignment, t kmsg.CreatePartitionsRequestTopic, live []int32, racks map[int32]string) ([][]int32, error) {
	have := int32(len(a.Partitions))
	const most = 100_000
	switch {
	case t.Count <= have:
		return nil, refuse(kerr.InvalidPartitions, "topic %s has %d partitions already: the number can only grow", t.Topic, have)
	case t.Count > most:
		return nil, refuse(kerr.InvalidPartitions, "%d partitions: at most %d", t.Count, most)
	}
	like := a.Replicas(0)
	if t.Assignment == nil {
		start := max(slices.IndexFunc(live, func(id int32) bool { return len(like) > 0 && id >= like[0] }), 0)
		return assign(live, racks, have, t.Count-have, int16(len(like)), start, start)
	}
	if len(t.Assignment) != int(t.Count-have) {
		return nil, refuse(kerr.InvalidReplicaAssignment, "%d partitions are to be added, %d are assigned", t.Count-have, len(t.Assignment))
	}
	var added [][]int32
	for i, given := range t.Assignment {
		if err := checkReplicas(have+int32(i), given.Replicas, live); err != nil {
			return nil, err
		}
		if len(given.Replicas) != len(like) {
			return nil, refuse(kerr.InvalidReplicaAssignment, "partition %d has %d replicas, partition 0 has %d", have+int32(i), len(given.Replicas), len(like))
		}
		added = append(added, given.Replicas)
	}
	return added, nil
}
