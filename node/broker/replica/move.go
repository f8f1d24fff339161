package replica

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// move is a partition on its way to another log directory of this broker.
type move struct {
	to     *log.Dir
	cancel context.CancelFunc
	future *log.Future // nil until the copy has begun; guarded by Replicas.mu
}

// AlterReplicaLogDirs begins to move replicas to other log directories of this broker, versions 0 to 2. How far they
// are, DescribeLogDirs tells. A replica that is not here yet will go where it was asked to be.
func (r *Replicas) AlterReplicaLogDirs(_ context.Context, req *kmsg.AlterReplicaLogDirsRequest) *kmsg.AlterReplicaLogDirsResponse {
	resp := req.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	for _, d := range req.Dirs {
		for _, t := range d.Topics {
			topic := kmsg.NewAlterReplicaLogDirsResponseTopic()
			topic.Topic = t.Topic
			for _, id := range t.Partitions {
				part := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
				part.Partition, part.ErrorCode = id, code(r.alterLogDir(key{Topic: t.Topic, Partition: id}, d.Dir))
				topic.Partitions = append(topic.Partitions, part)
			}
			resp.Topics = append(resp.Topics, topic)
		}
	}
	return resp
}

func (r *Replicas) alterLogDir(k key, path string) error {
	r.roles.Lock()
	defer r.roles.Unlock()
	dir, p := r.cfg.Dirs.Find(path), r.lookup(k)
	switch {
	case dir == nil:
		return kerr.LogDirNotFound
	case r.cfg.Dirs.Failed(dir):
		return kerr.KafkaStorageError
	case p == nil:
		r.cfg.Dirs.Prefer(k, dir)
		return kerr.ReplicaNotAvailable
	}
	p.mu.Lock()
	failed := p.failed
	p.mu.Unlock()
	if failed != nil {
		return kerr.KafkaStorageError
	}
	r.move(p, dir)
	return nil
}

// move begins to move a partition, unless it is there or on its way there. A move to elsewhere is given up.
func (r *Replicas) move(p *partition, dir *log.Dir) {
	ctx, cancel := context.WithCancel(r.fetchers.ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.moves[p.key]; m != nil {
		if m.to == dir {
			cancel()
			return
		}
		m.cancel()
		delete(r.moves, p.key)
	}
	if p.log.Dir() == dir || ctx.Err() != nil {
		cancel()
		return
	}
	m := &move{to: dir, cancel: cancel}
	r.moves[p.key] = m
	r.fetchers.work.Go(func() {
		defer cancel()
		r.carry(ctx, p, m)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.moves[p.key] == m {
			delete(r.moves, p.key)
		}
	})
}

// cancelMove gives a move up, if there is one. Needs mu.
func (r *Replicas) cancelMove(k key) {
	if m := r.moves[k]; m != nil {
		m.cancel()
		delete(r.moves, k)
	}
}

// carry copies until the copy can take the log's place. Where the log was truncated meanwhile it begins anew.
func (r *Replicas) carry(ctx context.Context, p *partition, m *move) {
	r.log.Info("partition moves to another log directory", "partition", p.String(), "from", p.log.Dir().Path(), "to", m.to.Path())
	for ctx.Err() == nil {
		future, err := p.log.MoveTo(m.to)
		if err == nil {
			r.mu.Lock()
			m.future = future
			r.mu.Unlock()
			if err = r.copyAll(ctx, future); err == nil {
				err = future.Finish()
			}
			if err == nil {
				r.log.Info("partition moved", "partition", p.String(), "to", m.to.Path())
				return
			}
			err = errors.Join(err, future.Abandon())
		}
		if log.Cut(err) {
			continue
		}
		if ctx.Err() == nil && !errors.Is(err, log.ErrClosed) {
			r.log.Error("partition not moved", "partition", p.String(), "to", m.to.Path(), "err", err)
		}
		return
	}
}

// moveChunk is how many bytes of a partition are copied at a time.
const moveChunk = 1 << 20

// copyAll copies no faster than replica.alter.log.dirs.io.max.bytes.per.second.
func (r *Replicas) copyAll(ctx context.Context, future *log.Future) error {
	for {
		began := time.Now()
		n, err := future.Copy(moveChunk)
		if err != nil || n == 0 {
			return err
		}
		pause := time.Duration(0)
		if rate := r.moveRate.Load(); rate > 0 {
			pause = time.Duration(float64(n)/float64(rate)*float64(time.Second)) - time.Since(began)
		}
		after, stop := timer(pause)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-after:
		}
	}
}

// SetMoveRate limits how fast partitions move between log directories, in bytes a second for each; 0 is no limit.
func (r *Replicas) SetMoveRate(bytes int64) { r.moveRate.Store(bytes) }

// resumeMoves goes on with what the last process did not complete.
func (r *Replicas) resumeMoves() {
	for k, dir := range r.cfg.Dirs.Futures() {
		if p := r.lookup(k); p != nil {
			r.move(p, dir)
		}
	}
}
