package znodes

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/go-zookeeper/zk"
)

// AnyVersion stands for whatever version a znode has.
const AnyVersion int32 = -1

// Create makes a persistent znode that everybody may change, and returns its path, to which a sequential one adds its
// number.
func (c *Client) Create(ctx context.Context, at string, data []byte, sequential bool) (string, error) {
	return call(ctx, c, func() (string, error) {
		var flags int32
		if sequential {
			flags = zk.FlagSequence
		}
		created, err := c.session.Create(at, data, flags, zk.WorldACL(zk.PermAll))
		if errors.Is(err, zk.ErrNoNode) {
			return "", fmt.Errorf("there is no znode %s to put %s into: create it first%w", path.Dir(at), path.Base(at), silently{err})
		}
		return created, problem(at, err)
	})
}

// Set replaces the data of a znode that has this version.
func (c *Client) Set(ctx context.Context, at string, data []byte, version int32) (Stat, error) {
	return call(ctx, c, func() (Stat, error) {
		stat, err := c.session.Set(at, data, version)
		return statOf(stat), problem(at, err)
	})
}

// Delete deletes a znode without children that has this version.
func (c *Client) Delete(ctx context.Context, at string, version int32) error {
	_, err := call(ctx, c, func() (struct{}, error) {
		return struct{}{}, problem(at, c.session.Delete(at, version))
	})
	return err
}

// Subtree lists a znode and all below it, parents first, at most limit of them; whole says whether that is all.
func (c *Client) Subtree(ctx context.Context, at string, limit int) (paths []string, whole bool, err error) {
	paths = []string{at}
	for i := 0; i < len(paths); i++ {
		names, err := call(ctx, c, func() ([]string, error) {
			names, _, err := c.session.Children(paths[i])
			return Sorted(names), err
		})
		if IsMissing(err) && i > 0 {
			continue
		}
		if err != nil {
			return nil, false, problem(paths[i], err)
		}
		for _, name := range names {
			if len(paths) == limit {
				return paths, false, nil
			}
			paths = append(paths, path.Join(paths[i], name))
		}
	}
	return paths, true, nil
}

// MostDeleted bounds how many znodes one recursive deletion takes.
const MostDeleted = 10_000

// DeleteAll deletes a znode and all below it, and returns how many znodes that were. A subtree of more than [MostDeleted]
// is left as it is.
func (c *Client) DeleteAll(ctx context.Context, at string) (int, error) {
	paths, whole, err := c.Subtree(ctx, at, MostDeleted)
	if err != nil {
		return 0, err
	}
	if !whole {
		return 0, fmt.Errorf("%s holds more than %d znodes: delete it in parts", at, MostDeleted)
	}
	for i, p := range slices.Backward(paths) {
		if err := c.Delete(ctx, p, AnyVersion); err != nil && !IsMissing(err) {
			if done := len(paths) - 1 - i; done > 0 {
				err = fmt.Errorf("%w (before that, %d of %d were deleted)", err, done, len(paths))
			}
			return 0, err
		}
	}
	return len(paths), nil
}

// Protected says why a znode must not be changed by hand at all, empty if it may.
func Protected(at string) string {
	switch {
	case at == "/":
		return "the root belongs to no one"
	case at == "/zookeeper" || path.Dir(at) == "/zookeeper":
		return at + " belongs to ZooKeeper itself"
	}
	return ""
}
