package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/metadata"
	"kdrill/node/layout"
	"kdrill/node/wire"
)

// deleteTopics serves DeleteTopics, versions 0 to 6: on the controller, and answered when the topics are gone from
// this broker's view or the time is over.
func (b *Broker) deleteTopics(ctx context.Context, r *wire.Request, req *kmsg.DeleteTopicsRequest) *kmsg.DeleteTopicsResponse {
	response := kmsg.NewPtrDeleteTopicsResponse()
	asked := req.Topics
	for _, name := range req.TopicNames {
		asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: &name})
	}
	a := b.asker(r)
	limit, cancel := context.WithTimeout(ctx, time.Duration(req.TimeoutMillis)*time.Millisecond)
	defer cancel()
	ambiguous := namedTwice(asked)
	for _, t := range asked {
		answer := kmsg.NewDeleteTopicsResponseTopic()
		if ambiguous {
			err := refuse(kerr.InvalidRequest, "a topic is named or its id is given, not both")
			answer.Topic, answer.TopicID, answer.ErrorCode, answer.ErrorMessage = t.Topic, t.TopicID, codeOf(err), textOf(err)
			response.Topics = append(response.Topics, answer)
			continue
		}
		name, err := b.topicToDelete(req.Version, t)
		denied, nameless := a.mayDelete(name)
		if denied != nil && !errors.Is(err, kerr.NotController) && !errors.Is(err, kerr.UnknownTopicID) {
			err = denied
		}
		if topic := b.cache.Current().Topics[name]; err == nil && topic != nil {
			err = mutate(ctx, len(topic.Partitions))
		}
		if err == nil {
			err = b.markDeleted(ctx, name)
		}
		if t.Topic != nil || name != "" && !nameless {
			answer.Topic = &name
		}
		answer.TopicID = t.TopicID
		if topic := b.cache.Current().Topics[name]; topic != nil {
			answer.TopicID = topic.ID
		}
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), textOf(err)
		response.Topics = append(response.Topics, answer)
	}
	for i := range response.Topics {
		t := &response.Topics[i]
		if t.ErrorCode != 0 {
			continue
		}
		gone := func(c *metadata.Cluster) bool { return c.Topics[*t.Topic] == nil }
		if b.cache.Wait(limit, gone) != nil {
			err := refuse(kerr.RequestTimedOut, "topic %s is marked for deletion and goes when all its brokers are alive", *t.Topic)
			t.ErrorCode, t.ErrorMessage = codeOf(err), textOf(err)
		}
	}
	return response
}

// namedTwice says whether a topic has both a name and an id, which may be of another: then nothing is deleted.
func namedTwice(asked []kmsg.DeleteTopicsRequestTopic) bool {
	return slices.ContainsFunc(asked, func(t kmsg.DeleteTopicsRequestTopic) bool { return t.Topic != nil && t.TopicID != [16]byte{} })
}

// topicToDelete finds the topic that is meant, by name or id.
func (b *Broker) topicToDelete(version int16, t kmsg.DeleteTopicsRequestTopic) (name string, err error) {
	if t.Topic != nil {
		name = *t.Topic
	}
	switch {
	case !b.controller.Active():
		return name, kerr.NotController
	case !b.settings.Bool("delete.topic.enable"):
		if version < 3 {
			return name, kerr.InvalidRequest
		}
		return name, refuse(kerr.TopicDeletionDisabled, "delete.topic.enable is false")
	case t.Topic == nil:
		name, ok := b.cache.Current().TopicName(t.TopicID)
		if !ok {
			return "", refuse(kerr.UnknownTopicID, "no topic has the id %s", encodeID(t.TopicID))
		}
		return name, nil
	case b.cache.Current().Topics[name] == nil:
		return name, refuse(kerr.UnknownTopicOrPartition, "there is no topic %s", name)
	}
	return name, nil
}

func (b *Broker) markDeleted(ctx context.Context, name string) error {
	if _, err := b.zk.create(ctx, layout.DeleteTopic(name), nil, 0); err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return fmt.Errorf("mark topic %s for deletion: %w", name, err)
	}
	b.log.Info("topic marked for deletion", "topic", name)
	return nil
}
