package store

import "time"

// sync makes the log durable.
func (s *Store) sync() error {
	began := time.Now()
	err := datasync(s.file)
	if took := time.Since(began).Truncate(time.Millisecond); took > s.cfg.SlowSync {
		s.slow.Add(1)
		if s.cfg.SlowSync > 0 {
			s.cfg.Log.Warn("the disk took long to make the log durable: writes wait for it", "took", took, "file", s.file.Name(), "bytes", s.size)
		}
	}
	return err
}

// SlowSyncs counts the syncs of the log that took longer than [Config.SlowSync].
func (s *Store) SlowSyncs() int64 { return s.slow.Load() }
