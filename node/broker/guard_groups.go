package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// forGroup guards a request that needs to read one group.
func forGroup[Q kmsg.Request, R kmsg.Response](group func(Q) string, refuse func(R)) guard {
	return guarded(func(a asker, req Q, serve func() R) R {
		if a.group(toRead, group(req)) {
			return serve()
		}
		resp := answerOf[R](req)
		refuse(resp)
		return resp
	})
}

// groupGuards are those of requests that concern consumer groups. Offsets are of a group and of topics.
func groupGuards() map[int16]guard {
	return map[int16]guard{
		8: guarded(guardOffsetCommit),
		9: guarded(guardOffsetFetch),
		11: forGroup(func(q *kmsg.JoinGroupRequest) string { return q.Group }, func(r *kmsg.JoinGroupResponse) {
			r.ErrorCode, r.Generation, r.Protocol = groupDenied, -1, new(string)
		}),
		12: forGroup(func(q *kmsg.HeartbeatRequest) string { return q.Group }, func(r *kmsg.HeartbeatResponse) { r.ErrorCode = groupDenied }),
		13: forGroup(func(q *kmsg.LeaveGroupRequest) string { return q.Group }, func(r *kmsg.LeaveGroupResponse) { r.ErrorCode = groupDenied }),
		14: forGroup(func(q *kmsg.SyncGroupRequest) string { return q.Group }, func(r *kmsg.SyncGroupResponse) {
			r.ErrorCode, r.MemberAssignment = groupDenied, []byte{}
		}),
		15: guarded(guardDescribeGroups),
		16: guarded(guardListGroups),
		42: guarded(guardDeleteGroups),
		47: guarded(guardOffsetDelete),
	}
}

func guardOffsetCommit(a asker, req *kmsg.OffsetCommitRequest, serve func() *kmsg.OffsetCommitResponse) *kmsg.OffsetCommitResponse {
	refuse := func(resp *kmsg.OffsetCommitResponse, topics []kmsg.OffsetCommitRequestTopic, code int16) *kmsg.OffsetCommitResponse {
		for _, t := range topics {
			topic := kmsg.NewOffsetCommitResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				topic.Partitions = append(topic.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp
	}
	if !a.group(toRead, req.Group) {
		return refuse(answerOf[*kmsg.OffsetCommitResponse](req), req.Topics, groupDenied)
	}
	yes, no := split(req.Topics, func(t *kmsg.OffsetCommitRequestTopic) bool { return a.topic(toRead, t.Topic) })
	if len(yes) == 0 && len(no) > 0 {
		return refuse(answerOf[*kmsg.OffsetCommitResponse](req), no, topicDenied)
	}
	req.Topics = yes
	return refuse(serve(), no, topicDenied)
}

// guardOffsetFetch brings requests before version 8, which have one group, to the form of those that have several.
func guardOffsetFetch(a asker, req *kmsg.OffsetFetchRequest, serve func() *kmsg.OffsetFetchResponse) *kmsg.OffsetFetchResponse {
	if req.Version >= 8 {
		groups, refused := split(req.Groups, func(g *kmsg.OffsetFetchRequestGroup) bool { return a.group(toDescribe, g.Group) })
		denied := map[string][]kmsg.OffsetFetchRequestGroupTopic{}
		for i := range groups {
			if g := &groups[i]; g.Topics != nil {
				g.Topics, denied[g.Group] = split(g.Topics, func(t *kmsg.OffsetFetchRequestGroupTopic) bool { return a.topic(toDescribe, t.Topic) })
			}
		}
		req.Groups = groups
		resp := serve()
		for i := range resp.Groups {
			g := &resp.Groups[i]
			g.Topics, _ = split(g.Topics, func(t *kmsg.OffsetFetchResponseGroupTopic) bool { return a.quiet().topic(toDescribe, t.Topic) })
			if g.ErrorCode == 0 {
				g.Topics = append(g.Topics, noOffsets(denied[g.Group])...)
			}
		}
		for _, g := range refused {
			answer := kmsg.NewOffsetFetchResponseGroup()
			answer.Group, answer.ErrorCode = g.Group, groupDenied
			resp.Groups = append(resp.Groups, answer)
		}
		return resp
	}
	if !a.group(toDescribe, req.Group) {
		resp := answerOf[*kmsg.OffsetFetchResponse](req)
		if resp.ErrorCode = groupDenied; req.Version < 2 {
			resp.Topics = noOffsetsOf(req.Topics, groupDenied)
		}
		return resp
	}
	var no []kmsg.OffsetFetchRequestTopic
	if req.Topics != nil {
		req.Topics, no = split(req.Topics, func(t *kmsg.OffsetFetchRequestTopic) bool { return a.topic(toDescribe, t.Topic) })
	}
	resp := serve()
	resp.Topics, _ = split(resp.Topics, func(t *kmsg.OffsetFetchResponseTopic) bool { return a.quiet().topic(toDescribe, t.Topic) })
	resp.Topics = append(resp.Topics, noOffsetsOf(no, topicDenied)...)
	return resp
}

func noOffsets(topics []kmsg.OffsetFetchRequestGroupTopic) (answer []kmsg.OffsetFetchResponseGroupTopic) {
	for _, t := range topics {
		topic := kmsg.NewOffsetFetchResponseGroupTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{
				Partition: p, Offset: -1, LeaderEpoch: -1, Metadata: new(string), ErrorCode: topicDenied,
			})
		}
		answer = append(answer, topic)
	}
	return answer
}

func noOffsetsOf(topics []kmsg.OffsetFetchRequestTopic, code int16) (answer []kmsg.OffsetFetchResponseTopic) {
	for _, t := range topics {
		topic := kmsg.NewOffsetFetchResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p, Offset: -1, LeaderEpoch: -1, Metadata: new(string), ErrorCode: code,
			})
		}
		answer = append(answer, topic)
	}
	return answer
}

func guardDescribeGroups(a asker, req *kmsg.DescribeGroupsRequest, serve func() *kmsg.DescribeGroupsResponse) *kmsg.DescribeGroupsResponse {
	yes, no := split(req.Groups, func(g *string) bool { return a.group(toDescribe, *g) })
	req.Groups = yes
	resp := serve()
	for _, g := range no {
		answer := kmsg.NewDescribeGroupsResponseGroup()
		answer.Group, answer.ErrorCode = g, groupDenied
		resp.Groups = append(resp.Groups, answer)
	}
	return resp
}

func guardListGroups(a asker, _ *kmsg.ListGroupsRequest, serve func() *kmsg.ListGroupsResponse) *kmsg.ListGroupsResponse {
	resp := serve()
	if a = a.quiet(); !a.cluster(toDescribe) {
		resp.Groups, _ = split(resp.Groups, func(g *kmsg.ListGroupsResponseGroup) bool { return a.group(toDescribe, g.Group) })
	}
	return resp
}

func guardDeleteGroups(a asker, req *kmsg.DeleteGroupsRequest, serve func() *kmsg.DeleteGroupsResponse) *kmsg.DeleteGroupsResponse {
	yes, no := split(req.Groups, func(g *string) bool { return a.group(toDelete, *g) })
	req.Groups = yes
	resp := serve()
	for _, g := range no {
		resp.Groups = append(resp.Groups, kmsg.DeleteGroupsResponseGroup{Group: g, ErrorCode: groupDenied})
	}
	return resp
}

func guardOffsetDelete(a asker, req *kmsg.OffsetDeleteRequest, serve func() *kmsg.OffsetDeleteResponse) *kmsg.OffsetDeleteResponse {
	if !a.group(toDelete, req.Group) {
		resp := answerOf[*kmsg.OffsetDeleteResponse](req)
		resp.ErrorCode = groupDenied
		return resp
	}
	yes, no := split(req.Topics, func(t *kmsg.OffsetDeleteRequestTopic) bool { return a.topic(toRead, t.Topic) })
	req.Topics = yes
	resp := serve()
	for _, t := range no {
		topic := kmsg.NewOffsetDeleteResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: topicDenied})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
