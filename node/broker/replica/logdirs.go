package replica

import (
	"context"
	"iter"
	"slices"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// dirFailed gives up a log directory, with all partitions in it. It does not wait for them, and may be called with locks
// of a partition held.
func (r *Replicas) dirFailed(dir *log.Dir, err error) {
	first, left := r.cfg.Dirs.Fail(dir, err)
	if !first {
		return
	}
	r.log.Error("log directory failed: its replicas are offline until it is mended and the broker restarted", "dir", dir.Path(), "left", left, "err", err)
	if r.cfg.OnFailure != nil {
		r.cfg.OnFailure(dir.Path(), left, err)
	}
	go func() {
		for _, p := range r.partitions() {
			if p.log.Dir() == dir {
				p.writer.Lock()
				p.fail(err)
				p.writer.Unlock()
				r.fetchers.remove(p)
			}
		}
	}()
}

// LogDirs are the paths of the log directories, and whether they failed.
func (r *Replicas) LogDirs() iter.Seq2[string, bool] {
	return func(yield func(string, bool) bool) {
		for _, d := range r.cfg.Dirs.All() {
			if !yield(d.Path(), r.cfg.Dirs.Failed(d)) {
				return
			}
		}
	}
}

// DescribeLogDirs tells the sizes of the partitions in the log directories. Versions 0 to 4.
func (r *Replicas) DescribeLogDirs(_ context.Context, req *kmsg.DescribeLogDirsRequest) *kmsg.DescribeLogDirsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	all := r.partitions()
	slices.SortFunc(all, func(a, b *partition) int { return compareKeys(a.key, b.key) })
	copies := make(map[*log.Dir][]replicaCopy, len(r.cfg.Dirs.All()))
	for _, p := range all {
		if asked(req, p.key) {
			future, dir := r.futureOf(p), p.log.Dir()
			copies[dir] = append(copies[dir], replicaCopy{p, nil})
			if future != nil && future.Dir() != dir { // else it has just taken the log's place
				copies[future.Dir()] = append(copies[future.Dir()], replicaCopy{p, future})
			}
		}
	}
	for _, d := range r.cfg.Dirs.All() {
		dir := kmsg.NewDescribeLogDirsResponseDir()
		dir.Dir = d.Path()
		var volume syscall.Statfs_t
		if err := syscall.Statfs(dir.Dir, &volume); err != nil || r.cfg.Dirs.Failed(d) {
			dir.ErrorCode = kerr.KafkaStorageError.Code
			resp.Dirs = append(resp.Dirs, dir)
			continue
		}
		dir.TotalBytes = int64(volume.Blocks) * int64(volume.Bsize)
		dir.UsableBytes = int64(volume.Bavail) * int64(volume.Bsize)
		for _, c := range copies[d] {
			addReplica(&dir, c)
		}
		resp.Dirs = append(resp.Dirs, dir)
	}
	return resp
}

// replicaCopy is a partition in a log directory: its log, or its future there.
type replicaCopy struct {
	*partition
	future *log.Future
}

// futureOf is the copy of a partition that is on its way to another directory, nil if there is none.
func (r *Replicas) futureOf(p *partition) *log.Future {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if m := r.moves[p.key]; m != nil {
		return m.future
	}
	return nil
}

// addReplica adds one copy of a partition to the description of its directory.
func addReplica(dir *kmsg.DescribeLogDirsResponseDir, p replicaCopy) {
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
	if p.future != nil {
		part.IsFuture, part.Size, part.OffsetLag = true, p.future.Size(), p.future.Behind()
	}
	t := &dir.Topics[len(dir.Topics)-1]
	t.Partitions = append(t.Partitions, part)
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
