package replica

import (
	"context"
	"slices"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeLogDirs tells the sizes of the partitions in the log directory. Versions 0 to 4.
func (r *Replicas) DescribeLogDirs(_ context.Context, req *kmsg.DescribeLogDirsRequest) *kmsg.DescribeLogDirsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = r.cfg.Dir.Path()
	var volume syscall.Statfs_t
	if err := syscall.Statfs(dir.Dir, &volume); err != nil {
		dir.ErrorCode = kerr.KafkaStorageError.Code
	} else {
		dir.TotalBytes = int64(volume.Blocks) * int64(volume.Bsize)
		dir.UsableBytes = int64(volume.Bavail) * int64(volume.Bsize)
	}
	all := r.partitions()
	slices.SortFunc(all, func(a, b *partition) int { return compareKeys(a.key, b.key) })
	for _, p := range all {
		if !asked(req, p.key) {
			continue
		}
		if n := len(dir.Topics); n == 0 || dir.Topics[n-1].Topic != p.Topic {
			t := kmsg.NewDescribeLogDirsResponseDirTopic()
			t.Topic = p.Topic
			dir.Topics = append(dir.Topics, t)
		}
		part := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		part.Partition, part.Size = p.Partition, p.log.Size()
		p.mu.Lock()
		part.OffsetLag = max(p.hw-p.end, 0)
		p.mu.Unlock()
		t := &dir.Topics[len(dir.Topics)-1]
		t.Partitions = append(t.Partitions, part)
	}
	resp.Dirs = append(resp.Dirs, dir)
	return resp
}

// asked tells whether a request wants a partition; without any topics it wants all.
func asked(req *kmsg.DescribeLogDirsRequest, k key) bool {
	if req.Topics == nil {
		return true
	}
	return slices.ContainsFunc(req.Topics, func(t kmsg.DescribeLogDirsRequestTopic) bool {
		return t.Topic == k.Topic && slices.Contains(t.Partitions, k.Partition)
	})
}
