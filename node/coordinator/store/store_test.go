package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

var trio = &raftpb.ConfState{Voters: []uint64{1, 2, 3}}

func config(dir string) Config {
	return Config{LogDir: dir, SnapshotDir: dir, SegmentBytes: 1 << 20, Trailing: 5, Snapshots: 2, Log: slog.New(slog.DiscardHandler)}
}

func open(t *testing.T, c Config) (*Store, Recovery) {
	t.Helper()
	s, found, err := Open(c, trio)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, found
}

// entries makes entries first to last of a term.
func entries(term, first, last uint64) []*raftpb.Entry {
	var list []*raftpb.Entry
	for i := first; i <= last; i++ {
		list = append(list, &raftpb.Entry{Term: &term, Index: new(i), Type: raftpb.EntryNormal.Enum(), Data: fmt.Appendf(nil, "%d/%d", term, i)})
	}
	return list
}

func hardState(term, vote, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}
}

func appendAll(t *testing.T, s *Store, batches ...Batch) {
	t.Helper()
	if err := s.Append(batches); err != nil {
		t.Fatal(err)
	}
}

// state is what a snapshot holds.
type state string

func text(format string, args ...any) state { return state(fmt.Sprintf(format, args...)) }

func (s state) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(s))
	return int64(n), err
}

// latest reads the newest snapshot.
func latest(t *testing.T, s *Store) (string, uint64) {
	t.Helper()
	r, size, err := s.State(s.Latest())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != size {
		t.Errorf("%d bytes instead of %d, %v", len(b), size, err)
	}
	return string(b), s.Latest()
}

// sent is a snapshot of another node as it comes to s.
func sent(t *testing.T, s *Store, m mark) *raftpb.Snapshot {
	t.Helper()
	other, _ := open(t, config(t.TempDir()))
	if err := other.writeSnapshot(m, trio, text("theirs")); err != nil {
		t.Fatal(err)
	}
	f, size, err := other.OpenSnapshot(m.index)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name, err := s.Receive(f, size)
	if err != nil {
		t.Fatal(err)
	}
	snap := meta(m, trio)
	snap.Data = []byte(name)
	return snap
}

// content is the log in memory as text: "term/index …".
func content(t *testing.T, s *Store) string {
	t.Helper()
	first, _ := s.FirstIndex()
	last, _ := s.LastIndex()
	if first > last {
		return ""
	}
	list, err := s.Entries(first, last+1, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, e := range list {
		text = append(text, string(e.GetData()))
	}
	return strings.Join(text, " ")
}

func TestWhatWasAppendedIsThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, config(dir))
	appendAll(t, s, Batch{State: hardState(1, 2, 0), Entries: entries(1, 1, 4)}, Batch{Entries: entries(1, 5, 6)})
	appendAll(t, s, Batch{State: hardState(2, 3, 3), Entries: entries(2, 4, 5)}) // a new leader overwrites 4 to 6
	want := "1/1 1/2 1/3 2/4 2/5"
	if got := content(t, s); got != want {
		t.Errorf("in memory: %s, want %s", got, want)
	}
	s.Close()
	s, found := open(t, config(dir))
	if got := content(t, s); got != want || found.Entries != 5 || found.TruncatedBytes != 0 {
		t.Errorf("reopened: %s %+v, want %s", got, found, want)
	}
	hs, cs, err := s.InitialState()
	if err != nil || hs.GetTerm() != 2 || hs.GetVote() != 3 || hs.GetCommit() != 3 || len(cs.GetVoters()) != 3 {
		t.Errorf("state: %v %v %v", hs, cs, err)
	}
}

func TestBatchesThatOverlapWithinOneSync(t *testing.T) {
	s, _ := open(t, config(t.TempDir()))
	appendAll(t, s, Batch{Entries: entries(1, 1, 6)}, Batch{Entries: entries(2, 4, 4)}, Batch{Entries: entries(3, 2, 3)})
	if got := content(t, s); got != "1/1 3/2 3/3" {
		t.Error(got)
	}
}

func TestATailCutShortAnywhereIsRecovered(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, config(dir))
	appendAll(t, s, Batch{Entries: entries(1, 1, 2)})
	path := filepath.Join(dir, fileName("log", 1))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole = whole[:s.size]
	appendAll(t, s, Batch{Entries: entries(1, 3, 4)})
	s.Close()
	full, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string][]byte{"zeros": append(append([]byte{}, whole...), make([]byte, 100)...)}
	for n := len(whole) + 1; n < len(full); n++ {
		damage[fmt.Sprintf("cut at %d", n)] = full[:n]
		flipped := append([]byte{}, full...)
		flipped[n] ^= 0x40
		damage[fmt.Sprintf("flipped at %d", n)] = flipped
	}
	for name, b := range damage {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, fileName("log", 1)), b, 0o644); err != nil {
				t.Fatal(err)
			}
			s, found := open(t, config(dir))
			if got := content(t, s); got != "1/1 1/2" || found.TruncatedBytes != int64(len(bytes.TrimRight(b[len(whole):], "\x00"))) {
				t.Errorf("%s %+v", got, found)
			}
			appendAll(t, s, Batch{Entries: entries(2, 3, 3)})
			s.Close()
			s, found = open(t, config(dir))
			if got := content(t, s); got != "1/1 1/2 2/3" || found.TruncatedBytes != 0 {
				t.Errorf("after going on: %s %+v", got, found)
			}
		})
	}
}

func TestDamageToDurableEntriesIsNotRecoveredSilently(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, config(dir))
	for i := range uint64(3) {
		appendAll(t, s, Batch{Entries: entries(1, i+1, i+1)})
	}
	s.Close()
	path := filepath.Join(dir, fileName("log", 1))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[frameHeader+5] ^= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(config(dir), nil); err == nil || !strings.Contains(err.Error(), "damaged at byte 0") {
		t.Errorf("%v", err)
	}
}

func TestSnapshotsMakeOldSegmentsAndEntriesGo(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	c.SegmentBytes = 200
	s, _ := open(t, c)
	for i := range uint64(100) {
		appendAll(t, s, Batch{State: hardState(1, 1, i), Entries: entries(1, i+1, i+1)})
		if (i+1)%20 == 0 {
			if err := s.SaveSnapshot(i+1, trio, text("state %d", i+1), false); err != nil {
				t.Fatal(err)
			}
		}
	}
	if first, _ := s.FirstIndex(); first != 96 {
		t.Errorf("first entry in memory: %d", first)
	}
	snapshots, _ := files(dir, "snapshot")
	logs, _ := files(dir, "log")
	if len(snapshots) != 2 || len(logs) > 8 {
		t.Errorf("%d snapshots, %d segments", len(snapshots), len(logs))
	}
	s.Close()
	s, found := open(t, c)
	if data, index := latest(t, s); data != "state 100" || index != 100 || found.SnapshotIndex != 100 {
		t.Errorf("%q %d %+v", data, index, found)
	}
	s.Close()

	// The newest snapshot is broken: the one before it and the log lead to the same place.
	path := filepath.Join(dir, fileName("snapshot", 100))
	if err := os.Truncate(path, 20); err != nil {
		t.Fatal(err)
	}
	s, found = open(t, c)
	if last, _ := s.LastIndex(); last != 100 || found.SnapshotIndex != 80 || len(found.SkippedSnapshots) != 1 || found.Entries != 20 {
		t.Errorf("last %d, %+v", last, found)
	}
}

// Who belongs to the ensemble is part of a snapshot; a joiner cannot begin with entries before it.
func TestTheNodesAreThoseOfTheSnapshot(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, config(dir))
	appendAll(t, s, Batch{State: hardState(1, 1, 3), Entries: entries(1, 1, 3)})
	next := &raftpb.ConfState{Voters: []uint64{2, 3, 4}, Learners: []uint64{9}, VotersOutgoing: []uint64{1, 2, 3}, AutoLeave: new(true)}
	if err := s.SaveSnapshot(2, next, text("state"), true); err != nil {
		t.Fatal(err)
	}
	if first, _ := s.FirstIndex(); first != 3 {
		t.Errorf("the log goes on at %d", first)
	}
	sent, err := s.Snapshot()
	if err != nil || !proto.Equal(sent.GetMetadata().GetConfState(), next) || sent.GetMetadata().GetIndex() != 2 {
		t.Errorf("%v %v", sent, err)
	}
	s.Close()
	s, _ = open(t, config(dir))
	if _, conf, err := s.InitialState(); err != nil || !proto.Equal(conf, next) {
		t.Errorf("%v %v", conf, err)
	}
	if data, index := latest(t, s); data != "state" || index != 2 {
		t.Errorf("%q %d", data, index)
	}
}

func TestOldSnapshotsGoWhenItIsTime(t *testing.T) {
	for every, want := range map[time.Duration][2]int{0: {2, 2}, Never: {6, 7}, time.Hour: {6, 2}} {
		c := config(t.TempDir())
		c.PurgeEvery = every
		s, _ := open(t, c)
		save := func(index uint64) int {
			appendAll(t, s, Batch{State: hardState(1, 1, index-1), Entries: entries(1, index, index)})
			if err := s.SaveSnapshot(index, trio, text("state"), false); err != nil {
				t.Fatal(err)
			}
			left, err := files(c.SnapshotDir, "snapshot")
			if err != nil {
				t.Fatal(err)
			}
			return len(left)
		}
		left := 0
		for i := range uint64(6) {
			left = save(i + 1)
		}
		s.purged = s.purged.Add(-2 * time.Hour)
		if later := save(7); left != want[0] || later != want[1] {
			t.Errorf("every %v: %d snapshots stay, and %d two hours later; want %v", every, left, later, want)
		}
	}
}

func TestASnapshotOfTheLeaderReplacesTheLog(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, config(dir))
	appendAll(t, s, Batch{Entries: entries(1, 1, 9)}) // never committed beyond 3
	snap := sent(t, s, mark{6, 2})
	appendAll(t, s, Batch{State: hardState(2, 0, 6), Snapshot: snap}, Batch{Entries: entries(2, 7, 8)})
	for range 2 {
		first, _ := s.FirstIndex()
		if got := content(t, s); got != "2/7 2/8" || first != 7 {
			t.Errorf("from %d: %s", first, got)
		}
		if term, err := s.Term(6); term != 2 || err != nil {
			t.Errorf("term of the snapshot: %d %v", term, err)
		}
		if data, index := latest(t, s); data != "theirs" || index != 6 {
			t.Errorf("%q %d", data, index)
		}
		s.Close()
		s, _ = open(t, config(dir))
	}
}

func TestACrashBetweenTheSnapshotAndItsMark(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, config(dir))
	appendAll(t, s, Batch{Entries: entries(1, 1, 9)})
	if err := s.writeSnapshot(mark{6, 2}, trio, text("theirs")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s, _ = open(t, config(dir))
	if last, _ := s.LastIndex(); last != 6 {
		t.Errorf("entries of an older term live on behind the snapshot, up to %d", last)
	}
}

// A snapshot that is ahead of the log, since the node died before it noted that the snapshot is the leader's or since
// the log's end is lost, is what the log continues from then on.
func TestALogThatEndsBeforeTheSnapshotGoesOnBehindIt(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, config(dir))
	appendAll(t, s, Batch{State: hardState(1, 1, 3), Entries: entries(1, 1, 5)})
	if err := s.writeSnapshot(mark{9, 2}, trio, text("theirs")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s, _ = open(t, config(dir))
	appendAll(t, s, Batch{State: hardState(2, 0, 10), Entries: entries(2, 10, 11)})
	for range 2 {
		s.Close()
		s, _ = open(t, config(dir))
		if got := content(t, s); got != "2/10 2/11" {
			t.Errorf("after the snapshot at 9: %s", got)
		}
	}
}

// What the node says to have committed is on disk, whenever it dies.
func TestTheCommitIndexIsThatOfTheLogAndTheSnapshot(t *testing.T) {
	commit := func(t *testing.T, c Config) uint64 {
		s, _ := open(t, c)
		defer s.Close()
		if _, err := raft.NewRawNode(&raft.Config{ID: 1, ElectionTick: 10, HeartbeatTick: 2, Storage: s, MaxInflightMsgs: 1, MaxSizePerMsg: 1}); err != nil {
			t.Fatal(err)
		}
		hs, _, err := s.InitialState()
		if err != nil {
			t.Fatal(err)
		}
		return hs.GetCommit()
	}
	t.Run("death before the leader's snapshot is whole", func(t *testing.T) {
		c := config(t.TempDir())
		c.SnapshotDir = filepath.Join(t.TempDir(), "snapshots")
		s, _ := open(t, c)
		appendAll(t, s, Batch{State: hardState(1, 1, 3), Entries: entries(1, 1, 5)})
		snap := sent(t, s, mark{9, 2})
		if err := os.RemoveAll(c.SnapshotDir); err != nil {
			t.Fatal(err)
		}
		if err := s.Append([]Batch{{State: hardState(2, 0, 9), Snapshot: snap}}); err == nil {
			t.Fatal("the snapshot was written nowhere")
		}
		s.file.Close()
		if got := commit(t, c); got != 3 {
			t.Errorf("commit %d of a log that ends at 5", got)
		}
	})
	t.Run("death before the commit index of an own snapshot is written", func(t *testing.T) {
		c := config(t.TempDir())
		s, _ := open(t, c)
		appendAll(t, s, Batch{State: hardState(1, 1, 0), Entries: entries(1, 1, 5)}, Batch{State: hardState(1, 1, 2)})
		appendAll(t, s, Batch{State: hardState(1, 1, 4)})
		if err := s.SaveSnapshot(4, trio, text("own"), false); err != nil {
			t.Fatal(err)
		}
		s.file.Close()
		if got := commit(t, c); got != 4 {
			t.Errorf("commit %d behind the snapshot at 4", got)
		}
	})
	t.Run("durable entries are lost", func(t *testing.T) {
		c := config(t.TempDir())
		s, _ := open(t, c)
		appendAll(t, s, Batch{State: hardState(1, 1, 7), Entries: entries(1, 1, 5)})
		s.Close()
		if _, _, err := Open(c, nil); err == nil || !strings.Contains(err.Error(), "ends at entry 5, but the node had them up to 7") {
			t.Errorf("%v", err)
		}
	})
}

func TestACommitIndexAloneDoesNotTouchTheDisk(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, config(dir))
	appendAll(t, s, Batch{State: hardState(1, 1, 0), Entries: entries(1, 1, 1)})
	size := s.size
	appendAll(t, s, Batch{State: hardState(1, 1, 1)})
	if s.size != size {
		t.Error("written")
	}
	s.Close() // but a clean end keeps it
	s, _ = open(t, config(dir))
	if hs, _, _ := s.InitialState(); hs.GetCommit() != 1 {
		t.Errorf("commit %d", hs.GetCommit())
	}
}

func TestAVoteIsWrittenAtOnce(t *testing.T) {
	s, _ := open(t, config(t.TempDir()))
	for _, state := range []*raftpb.HardState{hardState(1, 0, 0), hardState(1, 2, 0), hardState(2, 0, 0)} {
		size := s.size
		if appendAll(t, s, Batch{State: state}); s.size == size {
			t.Errorf("%v is not written", state)
		}
	}
}

func TestAfterAFailedWriteNothingIsAcknowledged(t *testing.T) {
	s, _ := open(t, config(t.TempDir()))
	s.file.Close() // as good as a full disk
	for range 2 {
		if err := s.Append([]Batch{{Entries: entries(1, 1, 1)}}); !errors.Is(err, os.ErrClosed) || !strings.Contains(err.Error(), "write-ahead log") {
			t.Errorf("%v", err)
		}
	}
	if last, _ := s.LastIndex(); last != 0 {
		t.Error("the entry is there")
	}
}

func TestAnEmptyStoreHasNoSnapshotToSend(t *testing.T) {
	s, _ := open(t, config(t.TempDir()))
	if _, err := s.Snapshot(); !errors.Is(err, raft.ErrSnapshotTemporarilyUnavailable) {
		t.Error(err)
	}
}

func FuzzReplay(f *testing.F) {
	var payload []byte
	for _, e := range entries(1, 1, 3) {
		payload = appendEntry(payload, e)
	}
	payload = appendState(payload, hardState(1, 2, 3))
	f.Add(appendFrame(appendFrame(nil, payload), appendMark(nil, mark{9, 2})))
	f.Add(payload)
	f.Fuzz(func(t *testing.T, b []byte) {
		h := &history{segments: []segment{{number: 1}}}
		end, err := h.replay(b)
		if err == nil {
			// What is whole replays to the same.
			again := &history{segments: []segment{{number: 1}}}
			if end2, err := again.replay(b[:end]); end2 != end || err != nil || len(again.entries) != len(h.entries) {
				t.Errorf("%d %v, was %d", end2, err, end)
			}
		}
		readRecords(b)
	})
}

func FuzzSnapshotFile(f *testing.F) {
	dir := f.TempDir()
	s := &Store{cfg: config(dir)}
	if err := s.writeSnapshot(mark{6, 2}, trio, text("state")); err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(dir, fileName("snapshot", 6))
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	payload, _, _ := cutFrame(whole)
	f.Add(payload)
	f.Add(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, 6), 2)) // of the time before nodes were written down
	f.Fuzz(func(t *testing.T, payload []byte) {
		if err := os.WriteFile(path, appendFrame(nil, payload), 0o644); err != nil {
			t.Fatal(err)
		}
		found, err := readWhole(path)
		if err == nil && found.head > int64(frameHeader+len(payload)) {
			t.Errorf("the state begins at %d of %d bytes", found.head, frameHeader+len(payload))
		}
	})
}

// A snapshot that does not arrive whole is none, and leaves nothing behind, whoever dies.
func TestASnapshotArrivesWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, config(dir))
	other, _ := open(t, config(t.TempDir()))
	if err := other.writeSnapshot(mark{6, 2}, trio, text("theirs")); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(other.cfg.SnapshotDir, fileName("snapshot", 6)))
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		flipped := bytes.Clone(whole)
		flipped[n] ^= 0x40
		for what, b := range map[string][]byte{"cut": whole[:n], "flipped": flipped} {
			if name, err := s.Receive(bytes.NewReader(b), int64(len(whole))); err == nil {
				t.Errorf("%s at %d: taken as %s", what, n, name)
			}
		}
	}
	discarded, err := s.Receive(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	s.Discard(discarded)
	if _, err := s.Receive(bytes.NewReader(whole), int64(len(whole))); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s, _ = open(t, config(dir))
	if left, _ := filepath.Glob(filepath.Join(dir, "*snapshot*")); len(left) > 0 || s.Latest() != 0 {
		t.Errorf("%v, newest %d", left, s.Latest())
	}
}
