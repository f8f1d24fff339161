package admin

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// describeGroups reads the groups with these names from their coordinator: members, and committed offsets.
func describeGroups(ctx context.Context, p *peers, addr string, coordinator int32, names []string) ([]Group, error) {
	if len(names) == 0 {
		return nil, nil
	}
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = names
	resp, err := p.ask(ctx, addr, req)
	if err != nil {
		return nil, err
	}
	var groups []Group
	for _, d := range resp.(*kmsg.DescribeGroupsResponse).Groups {
		if d.ErrorCode == 0 && d.State != "Dead" {
			groups = append(groups, describedGroup(d, coordinator))
		}
	}
	commits, err := fetchCommits(ctx, p, addr, names)
	if err != nil {
		return nil, err
	}
	for i := range groups {
		g := &groups[i]
		g.Partitions = lagOf(commits[g.ID], g.Members)
	}
	return groups, nil
}

func describedGroup(d kmsg.DescribeGroupsResponseGroup, coordinator int32) Group {
	g := Group{ID: d.Group, State: d.State, Protocol: d.Protocol, Coordinator: coordinator, Lag: -1, PerSecond: -1}
	for _, m := range d.Members {
		member := Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, Assigned: assigned(m.MemberAssignment)}
		if m.InstanceID != nil {
			member.InstanceID = *m.InstanceID
		}
		g.Members = append(g.Members, member)
	}
	slices.SortFunc(g.Members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return g
}

// assigned decodes what the group's leader assigned to a member; it is the clients' own format and may be anything.
func assigned(data []byte) map[string][]int32 {
	var a kmsg.ConsumerMemberAssignment
	if len(data) == 0 || a.ReadFrom(data) != nil {
		return nil
	}
	topics := map[string][]int32{}
	for _, t := range a.Topics {
		topics[t.Topic] = slices.Sorted(slices.Values(t.Partitions))
	}
	return topics
}

// commits are the committed offsets of one group.
type commits map[TopicPartition]int64

// fetchCommits asks for all groups at once; brokers from before Kafka 3.0 are asked group by group.
func fetchCommits(ctx context.Context, p *peers, addr string, names []string) (map[string]commits, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = names[0]
	for _, name := range names {
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.Topics = name, nil
		req.Groups = append(req.Groups, g)
	}
	all := map[string]commits{}
	answer, err := p.ask(ctx, addr, req)
	if err != nil {
		return nil, err
	}
	resp := answer.(*kmsg.OffsetFetchResponse)
	if resp.Version >= 8 {
		for _, g := range resp.Groups {
			all[g.Group] = commitsOf(g)
		}
		return all, nil
	}
	all[names[0]] = oldCommits(resp)
	for _, name := range names[1:] {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group = name
		answer, err := p.ask(ctx, addr, req)
		if err != nil {
			return nil, err
		}
		all[name] = oldCommits(answer.(*kmsg.OffsetFetchResponse))
	}
	return all, nil
}

func commitsOf(g kmsg.OffsetFetchResponseGroup) commits {
	c := commits{}
	for _, t := range g.Topics {
		for _, q := range t.Partitions {
			if q.ErrorCode == 0 && q.Offset >= 0 {
				c[TopicPartition{t.Topic, q.Partition}] = q.Offset
			}
		}
	}
	return c
}

func oldCommits(resp *kmsg.OffsetFetchResponse) commits {
	c := commits{}
	for _, t := range resp.Topics {
		for _, q := range t.Partitions {
			if q.ErrorCode == 0 && q.Offset >= 0 {
				c[TopicPartition{t.Topic, q.Partition}] = q.Offset
			}
		}
	}
	return c
}

// lagOf lists the partitions that a group committed or has assigned, by topic and partition. Ends are not known yet.
func lagOf(committed commits, members []Member) []GroupLag {
	rows := map[TopicPartition]GroupLag{}
	for at, offset := range committed {
		rows[at] = GroupLag{Topic: at.Topic, Partition: at.Partition, Committed: offset, End: -1, Lag: -1, PerSecond: -1}
	}
	for _, m := range members {
		for topic, partitions := range m.Assigned {
			for _, id := range partitions {
				at := TopicPartition{topic, id}
				row, ok := rows[at]
				if !ok {
					row = GroupLag{Topic: topic, Partition: id, Committed: -1, End: -1, Lag: -1, PerSecond: -1}
				}
				row.Member = m.ID
				rows[at] = row
			}
		}
	}
	return slices.SortedFunc(maps.Values(rows), func(a, b GroupLag) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

// knownGroup is a group as it was read last.
type knownGroup struct {
	Group
	missing time.Time // since when its coordinator no longer lists it
}

// groupGrace is how long a group that its coordinator no longer lists may take to turn up at another one.
const groupGrace = 5 * time.Second

// applyGroups takes in the groups of one coordinator; complete says that it listed all it has.
func (w *world) applyGroups(coordinator int32, groups []Group, complete bool, at time.Time) {
	w.groupsAt = at
	listed := map[string]bool{}
	for _, g := range groups {
		listed[g.ID] = true
		g.At = at
		if before, ok := w.groups[g.ID]; ok {
			g.PerSecond = before.PerSecond
			consumed(&g, before.Group)
		}
		w.groups[g.ID] = &knownGroup{Group: g}
	}
	if !complete {
		return
	}
	for id, g := range w.groups {
		if g.Coordinator != coordinator || listed[id] {
			continue
		}
		if g.missing.IsZero() {
			g.missing = at
		} else if at.Sub(g.missing) > groupGrace {
			delete(w.groups, id)
		}
	}
}

// consumed computes how fast the group moves on.
func consumed(g *Group, before Group) {
	elapsed := g.At.Sub(before.At)
	old := map[TopicPartition]GroupLag{}
	for _, row := range before.Partitions {
		old[TopicPartition{row.Topic, row.Partition}] = row
	}
	sum := -1.0
	for i := range g.Partitions {
		row := &g.Partitions[i]
		last, ok := old[TopicPartition{row.Topic, row.Partition}]
		if !ok {
			continue
		}
		row.PerSecond = rate(last.PerSecond, last.Committed, row.Committed, elapsed)
		if row.PerSecond >= 0 {
			sum = max(sum, 0) + row.PerSecond
		}
	}
	g.PerSecond = sum
}

// lag fills in the ends of the partitions. What a group has not committed yet counts from the log's start.
func (w *world) lag(g Group) Group {
	g.Partitions = slices.Clone(g.Partitions)
	g.Lag = -1
	for i := range g.Partitions {
		row := &g.Partitions[i]
		t, ok := w.topics[row.Topic]
		if !ok || int(row.Partition) >= len(t.Partitions) {
			continue
		}
		p := t.Partitions[row.Partition]
		row.End = p.End
		from := row.Committed
		if from < 0 {
			from = p.Start
		}
		if row.End >= 0 && from >= 0 {
			row.Lag = max(0, row.End-from)
			g.Lag = max(g.Lag, 0) + row.Lag
		}
	}
	return g
}
