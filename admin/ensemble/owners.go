package ensemble

import (
	"context"
	"errors"
	"path"

	"github.com/go-zookeeper/zk"
)

// Owners reads the tree from the root, at most limit znodes and none below those that skip names, and returns the paths of
// ephemeral znodes by the session that owns them. whole says whether nothing but what was skipped is missing.
func (s *Session) Owners(ctx context.Context, limit int, skip func(path string) bool) (owners map[int64][]string, whole bool, err error) {
	owners = map[int64][]string{}
	waiting := []string{"/"}
	for ; len(waiting) > 0 && limit > 0; limit-- {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		at := waiting[0]
		waiting = waiting[1:]
		names, stat, err := s.Children(at)
		if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNoAuth) {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		if stat.EphemeralOwner != 0 {
			owners[stat.EphemeralOwner] = append(owners[stat.EphemeralOwner], at)
		}
		for _, name := range names {
			if child := path.Join(at, name); !skip(child) {
				waiting = append(waiting, child)
			}
		}
	}
	return owners, len(waiting) == 0, nil
}
