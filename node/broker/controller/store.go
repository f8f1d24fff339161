package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/node/layout"
)

// errMoved says that another controller was elected: nothing may be written any more.
var errMoved = errors.New("another controller was elected")

const (
	parallelRequests = 128 // requests to ZooKeeper that one event has under way
	opsPerMulti      = 50  // states that are written in one transaction
	retryPause       = 50 * time.Millisecond
)

// store reads znodes and writes them under the epoch of one term. It repeats a request when the connection was lost,
// for as long as its context lasts. Safe for concurrent use.
type store struct {
	ctx     context.Context
	conn    *zk.Conn
	version int32 // of /controller_epoch: every write checks it
}

// retry repeats call until it does not fail for want of a connection.
func retry(ctx context.Context, call func() error) error {
	for {
		err := call()
		if err == nil || !errors.Is(err, zk.ErrConnectionClosed) && !errors.Is(err, zk.ErrNoServer) && !errors.Is(err, zk.ErrSessionExpired) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryPause):
		}
	}
}

// read repeats call and names path in its error. A znode that does not exist is zk.ErrNoNode.
func (s *store) read(path string, call func() error) error {
	if err := retry(s.ctx, call); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func (s *store) get(path string) (data []byte, stat *zk.Stat, err error) {
	err = s.read(path, func() (err error) {
		data, stat, err = s.conn.Get(path)
		return err
	})
	return data, stat, err
}

func (s *store) getW(path string) (data []byte, stat *zk.Stat, watch <-chan zk.Event, err error) {
	err = s.read(path, func() (err error) {
		data, stat, watch, err = s.conn.GetW(path)
		return err
	})
	return data, stat, watch, err
}

func (s *store) existsW(path string) (exists bool, watch <-chan zk.Event, err error) {
	err = s.read(path, func() (err error) {
		exists, _, watch, err = s.conn.ExistsW(path)
		return err
	})
	return exists, watch, err
}

func (s *store) children(path string) (names []string, err error) {
	err = s.read(path, func() (err error) {
		names, _, err = s.conn.Children(path)
		return err
	})
	return names, err
}

func (s *store) childrenW(path string) (names []string, watch <-chan zk.Event, err error) {
	err = s.read(path, func() (err error) {
		names, _, watch, err = s.conn.ChildrenW(path)
		return err
	})
	return names, watch, err
}

// write does all operations or none. It returns errMoved if this controller's epoch has passed, else the first
// operation's error.
func (s *store) write(ops ...any) ([]zk.MultiResponse, error) {
	fenced := append([]any{&zk.CheckVersionRequest{Path: layout.ControllerEpoch, Version: s.version}}, ops...)
	var results []zk.MultiResponse
	err := retry(s.ctx, func() (err error) {
		if err = s.ctx.Err(); err != nil {
			return err
		}
		results, err = s.conn.Multi(fenced...)
		return err
	})
	if err != nil && len(results) > 0 && (results[0].Error == zk.ErrBadVersion || results[0].Error == zk.ErrNoNode) {
		return nil, errMoved
	}
	if err != nil {
		return nil, err
	}
	return results[1:], nil
}

// parallel calls work for 0 to n-1 and returns the first error after all have ended.
func parallel(n int, work func(i int) error) error {
	var (
		next   atomic.Int64
		group  sync.WaitGroup
		once   sync.Once
		failed error
	)
	for range min(n, parallelRequests) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := work(i); err != nil {
					once.Do(func() { failed = err })
					return
				}
			}
		})
	}
	group.Wait()
	return failed
}
