package coordinator

import (
	"context"
	"time"

	"kdrill/node/coordinator/state"
)

// reap deletes containers and znodes with a time to live that have reached their end, as long as this node leads.
func (s *Server) reap(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.reapEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		s.mu.RLock()
		var over []string
		if s.role.Leading() {
			over = s.machine.Tree.Over(time.Now().UnixMilli())
		}
		s.mu.RUnlock()
		for _, path := range over {
			s.log.Info("znode has reached its end, deleted", "path", path)
			s.submit(&state.Command{Kind: state.Reap, Path: path}, nil)
		}
	}
}
