package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/raft/v3/raftpb"
)

// Recovery is what Open found.
type Recovery struct {
	SnapshotIndex    uint64   // 0 if there is no snapshot
	SkippedSnapshots []string // files that were not whole
	Entries          int      // entries after the snapshot
	TruncatedBytes   int64    // cut from the end of the log: a write that was cut short
	TruncatedFile    string
}

// files returns the numbers of the files named prefix-<16 hex digits>, ascending.
func files(dir, prefix string) ([]uint64, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, f := range list {
		hex, ok := strings.CutPrefix(f.Name(), prefix+"-")
		if n, err := strconv.ParseUint(hex, 16, 64); ok && len(hex) == 16 && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func fileName(prefix string, n uint64) string { return fmt.Sprintf("%s-%016x", prefix, n) }

// history is what the segments of the log add up to.
type history struct {
	state    *raftpb.HardState
	entries  []*raftpb.Entry
	segments []segment
	end      int64 // where the whole frames of the last segment end
	cut      int64 // bytes behind that
}

// segment is one file of the log.
type segment struct {
	number uint64
	last   uint64 // the highest index of an entry or snapshot that it mentions
}

// readLog replays all segments. It changes nothing.
func readLog(dir string) (*history, error) {
	h := &history{}
	numbers, err := files(dir, "log")
	if err != nil {
		return nil, err
	}
	for i, n := range numbers {
		path := filepath.Join(dir, fileName("log", n))
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		h.segments = append(h.segments, segment{number: n})
		end, err := h.replay(b)
		cut := int64(len(bytes.TrimRight(b[end:], "\x00"))) // zeros were only reserved
		if err == nil && cut > 0 && i < len(numbers)-1 {
			err = fmt.Errorf("broken at byte %d, and more segments follow", end)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w: restore it, or empty the folder so that the node copies everything from the others", path, err)
		}
		h.end, h.cut = end, cut
	}
	return h, nil
}

// replay reads one segment and returns where its whole frames end.
func (h *history) replay(b []byte) (end int64, err error) {
	size := len(b)
	for len(b) > 0 {
		payload, rest, ok := cutFrame(b)
		if !ok {
			if wholeFrameIn(rest) {
				return end, fmt.Errorf("damaged at byte %d", end)
			}
			return end, nil
		}
		records, err := readRecords(payload)
		if err != nil {
			return end, fmt.Errorf("byte %d: %w", end, err)
		}
		for _, r := range records {
			if err := h.add(r); err != nil {
				return end, fmt.Errorf("byte %d: %w", end, err)
			}
		}
		b = rest
		end = int64(size - len(b))
	}
	return end, nil
}

func wholeFrameIn(b []byte) bool {
	_, _, ok := cutFrame(b)
	return ok
}

// add takes the next record: an entry replaces what stood at its index and after it.
func (h *history) add(r record) error {
	now := &h.segments[len(h.segments)-1]
	switch {
	case r.state != nil:
		h.state = r.state
	case r.snapshot != nil:
		h.entries = nil
		now.last = max(now.last, r.snapshot.index)
	case r.entry != nil:
		index := r.entry.GetIndex()
		now.last = max(now.last, index)
		kept := 0
		if len(h.entries) > 0 {
			first := h.entries[0].GetIndex()
			if index > first+uint64(len(h.entries)) {
				return fmt.Errorf("entry %d does not follow entry %d", index, first+uint64(len(h.entries))-1)
			}
			kept = int(max(index, first) - first)
		}
		h.entries = append(h.entries[:kept], r.entry)
	}
	return nil
}

// after returns the entries that continue a snapshot: none if the log disagrees with it, an error if it starts
// later.
func (h *history) after(s mark) ([]*raftpb.Entry, error) {
	if len(h.entries) == 0 {
		return nil, nil
	}
	first := h.entries[0].GetIndex()
	last := first + uint64(len(h.entries)) - 1
	switch {
	case first > s.index+1:
		return nil, fmt.Errorf("the log starts at entry %d, the newest whole snapshot ends at %d: entries between them are lost; empty the folder so that the node copies everything from the others", first, s.index)
	case last <= s.index:
		return nil, nil
	case first <= s.index && h.entries[s.index-first].GetTerm() != s.term:
		return nil, nil // the snapshot came from the leader, in the place of entries that never were
	}
	return h.entries[s.index+1-first:], nil
}

// disagrees says whether the entries end elsewhere than a snapshot does: the node died before it could note that the
// leader's snapshot replaces them, or the last of them are lost.
func (h *history) disagrees(s mark) bool {
	if len(h.entries) == 0 {
		return false
	}
	last := h.entries[len(h.entries)-1]
	return last.GetIndex() != s.index || last.GetTerm() != s.term
}

// committed brings the commit index in line with a snapshot, all of which is committed, and count entries after it. The
// index is written late, so it may be behind the snapshot; it is never ahead of the entries unless some were lost.
func committed(state *raftpb.HardState, snapshot, count uint64) (*raftpb.HardState, error) {
	switch last := snapshot + count; {
	case state == nil:
		return nil, nil
	case state.GetCommit() > last:
		return nil, fmt.Errorf("the log ends at entry %d, but the node had them up to %d: the others count on what is lost; empty the folder so that the node copies everything from them", last, state.GetCommit())
	case state.GetCommit() < snapshot:
		return &raftpb.HardState{Term: state.Term, Vote: state.Vote, Commit: &snapshot}, nil
	}
	return state, nil
}
