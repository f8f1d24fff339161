package controller

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-zookeeper/zk"

	"kdrill/node/layout"
)

// errMalformed says that a znode holds something else than it should.
var errMalformed = errors.New("malformed")

// change is a new state for a partition.
type change struct {
	*partition
	next    layout.PartitionState
	unclean bool // the next leader is not in the isr that was
}

// readState returns nil if there is no state.
func (s *store) readState(p *partition) (*state, error) {
	path := layout.State(p.Topic, p.Partition)
	data, stat, err := s.get(path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	value, err := layout.Decode[layout.PartitionState](path, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return &state{PartitionState: value, epoch: stat.Version}, nil
}

// writeStates replaces states, each only in the version the decision was made from, many in one transaction. It
// returns the changes that were made, with the new states in place. Where somebody else was faster the partition
// now has their state, and the change is not among the result.
func (s *store) writeStates(changes []change) ([]change, error) {
	written := make([]bool, len(changes))
	chunks := (len(changes) + opsPerMulti - 1) / opsPerMulti
	err := parallel(chunks, func(i int) error {
		from, to := i*opsPerMulti, min((i+1)*opsPerMulti, len(changes))
		err := s.replace(changes[from:to])
		if err == nil {
			for j := from; j < to; j++ {
				written[j] = true
			}
		}
		if !conflicts(err) {
			return err
		}
		return parallel(to-from, func(j int) (err error) {
			written[from+j], err = s.replaceOne(changes[from+j])
			return err
		})
	})
	var made []change
	for i, ok := range written {
		if ok {
			made = append(made, changes[i])
		}
	}
	return made, err
}

// replace writes all the states or none.
func (s *store) replace(changes []change) error {
	ops := make([]any, len(changes))
	for i, c := range changes {
		ops[i] = &zk.SetDataRequest{
			Path: layout.State(c.Topic, c.Partition), Data: layout.Encode(c.next), Version: c.state.epoch,
		}
	}
	results, err := s.write(ops...)
	if err != nil {
		return err
	}
	for i, c := range changes {
		c.state = &state{PartitionState: c.next, epoch: results[i].Stat.Version}
	}
	return nil
}

// replaceOne writes one state. On a conflict it looks at what is there, which may be its own write whose answer was
// lost with a connection.
func (s *store) replaceOne(c change) (bool, error) {
	err := s.replace([]change{c})
	if !conflicts(err) {
		return err == nil, err
	}
	found, err := s.readState(c.partition)
	if err != nil {
		return false, err
	}
	c.state = found
	return found != nil && sameState(found.PartitionState, c.next), nil
}

// createStates writes the first states of partitions of one topic. Partitions that have one already
// keep it; those that still have none afterwards cannot get one.
func (s *store) createStates(changes []change) error {
	parent := layout.Partitions(changes[0].Topic)
	present, err := s.children(parent)
	var ops []any
	switch {
	case errors.Is(err, zk.ErrNoNode):
		ops = append(ops, create(parent, nil))
	case err != nil:
		return err
	}
	for part := range slices.Chunk(changes, opsPerMulti) {
		for _, c := range part {
			if !slices.Contains(present, strconv.Itoa(int(c.Partition))) {
				ops = append(ops, create(layout.Partition(c.Topic, c.Partition), nil))
			}
			ops = append(ops, create(layout.State(c.Topic, c.Partition), layout.Encode(c.next)))
		}
		_, err := s.write(ops...)
		ops = nil
		if err == nil {
			for _, c := range part {
				c.state = &state{PartitionState: c.next}
			}
			continue
		}
		if !errors.Is(err, zk.ErrNodeExists) && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		if err := s.createEach(part); err != nil {
			return err
		}
	}
	return nil
}

// createEach goes on when not all states could be created at once: some are there already, or the topic is gone.
func (s *store) createEach(changes []change) error {
	if len(changes) == 1 {
		found, err := s.readState(changes[0].partition)
		changes[0].state = found
		if errors.Is(err, errMalformed) {
			return nil
		}
		return err
	}
	for i := range changes {
		if err := s.createStates(changes[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}

func conflicts(err error) bool {
	return errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNoNode)
}

func create(path string, data []byte) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Data: data, Acl: zk.WorldACL(zk.PermAll)}
}

// sameState compares all but the version of the JSON.
func sameState(a, b layout.PartitionState) bool {
	return a.Leader == b.Leader && a.LeaderEpoch == b.LeaderEpoch && a.ControllerEpoch == b.ControllerEpoch &&
		a.LeaderRecoveryState == b.LeaderRecoveryState && slices.Equal(a.ISR, b.ISR)
}
