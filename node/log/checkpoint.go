package log

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }

func (tp TopicPartition) folder() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

func parseFolder(name string) (TopicPartition, bool) {
	i := strings.LastIndexByte(name, '-')
	if i < 1 {
		return TopicPartition{}, false
	}
	p, err := strconv.ParseInt(name[i+1:], 10, 32)
	if err != nil || p < 0 || strconv.FormatInt(p, 10) != name[i+1:] {
		return TopicPartition{}, false
	}
	return TopicPartition{name[:i], int32(p)}, true
}

// checkpointLines splits the text of a checkpoint file into the fields of its entries. All of them have the form:
//
//	0          version
//	2          number of entries
//	a b c      one a line
//	d e f
func checkpointLines(text []byte, fields int) ([][]string, error) {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) < 2 || lines[0] != "0" {
		return nil, fmt.Errorf("version %q, want 0", lines[0])
	}
	if n, err := strconv.Atoi(lines[1]); err != nil || n != len(lines)-2 {
		return nil, fmt.Errorf("%q entries announced, %d found", lines[1], len(lines)-2)
	}
	var all [][]string
	for _, line := range lines[2:] {
		f := strings.Split(line, " ")
		if len(f) != fields {
			return nil, fmt.Errorf("line %q", line)
		}
		all = append(all, f)
	}
	return all, nil
}

func decodeOffsets(text []byte) (map[TopicPartition]int64, error) {
	lines, err := checkpointLines(text, 3)
	if err != nil {
		return nil, err
	}
	offsets := map[TopicPartition]int64{}
	for _, f := range lines {
		p, err1 := strconv.ParseInt(f[1], 10, 32)
		offset, err2 := strconv.ParseInt(f[2], 10, 64)
		if err1 != nil || err2 != nil || p < 0 || offset < 0 {
			return nil, fmt.Errorf("line %q", strings.Join(f, " "))
		}
		offsets[TopicPartition{f[0], int32(p)}] = offset
	}
	return offsets, nil
}

func encodeOffsets(offsets map[TopicPartition]int64) []byte {
	b := fmt.Appendf(nil, "0\n%d\n", len(offsets))
	tps := slices.SortedFunc(maps.Keys(offsets), func(a, b TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, tp := range tps {
		b = append(append(b, tp.Topic...), ' ')
		b = append(strconv.AppendInt(b, int64(tp.Partition), 10), ' ')
		b = append(strconv.AppendInt(b, offsets[tp], 10), '\n')
	}
	return b
}

// checkpointRest is how long files may go without being written that would say the same again. Now and then they are
// written all the same: a disk that failed is noticed by that, even if nobody produces.
const checkpointRest = time.Minute

// Checkpoint writes the checkpoint files whose content has changed: high watermarks as given, recovery points and starts
// as the logs know them. What is not open keeps what the files said.
func (d *Dir) Checkpoint(hw map[TopicPartition]int64) error { return d.checkpoint(hw, false) }

func (d *Dir) checkpoint(hw map[TopicPartition]int64, always bool) error {
	d.watchful.Lock()
	defer d.watchful.Unlock()
	saved := d.current()
	for tp, o := range saved {
		if v, ok := hw[tp]; ok && v != o.hw {
			o.hw = v
			saved[tp] = o
		}
	}
	if always || time.Since(d.writtenAt) >= checkpointRest {
		d.written = nil
	}
	err := d.writeCheckpoints(saved)
	if d.written = saved; err != nil {
		d.written = nil
	}
	return err
}

// current is what the checkpoint files should say of every partition.
func (d *Dir) current() map[TopicPartition]offsets {
	d.mu.Lock()
	saved := make(map[TopicPartition]offsets, len(d.saved)+len(d.logs))
	maps.Copy(saved, d.saved)
	logs := slices.AppendSeq(make([]*Log, 0, len(d.logs)), maps.Values(d.logs))
	d.mu.Unlock()
	for _, l := range logs {
		o := offsets{hw: saved[l.tp].hw}
		l.mu.RLock()
		o.recovery, o.start, o.cleaned = l.recoveryPoint, l.start, l.cleaned
		if l.start == l.segments[0].base {
			o.start = 0 // the name of the first segment says it
		}
		l.mu.RUnlock()
		saved[l.tp] = o
	}
	return saved
}

// lowered writes recovery points, since one has gone back: what is written there from now on is not on the disk yet.
func (d *Dir) lowered() error {
	d.watchful.Lock()
	defer d.watchful.Unlock()
	d.written = nil
	return d.write(recoveryFile, d.current(), func(o offsets) (int64, bool) { return o.recovery, true })
}

// writeCheckpoints writes what differs from the files as far as they are known.
func (d *Dir) writeCheckpoints(saved map[TopicPartition]offsets) error {
	all := d.written == nil || len(d.written) != len(saved)
	var hw, recovery, start, cleaned bool
	for tp, o := range saved {
		before, ok := d.written[tp]
		all = all || !ok
		hw, recovery = hw || o.hw != before.hw, recovery || o.recovery != before.recovery
		start, cleaned = start || o.start != before.start, cleaned || o.cleaned != before.cleaned
	}
	if all {
		d.writtenAt = time.Now()
	}
	var errs error
	for _, f := range []struct {
		changed bool
		name    string
		value   func(offsets) (value int64, told bool)
	}{
		{recovery, recoveryFile, func(o offsets) (int64, bool) { return o.recovery, true }},
		{start, startFile, func(o offsets) (int64, bool) { return o.start, o.start > 0 }},
		{cleaned, cleanerFile, func(o offsets) (int64, bool) { return o.cleaned, o.cleaned > 0 }},
		{hw, hwFile, func(o offsets) (int64, bool) { return o.hw, true }},
	} {
		if all || f.changed {
			errs = errors.Join(errs, d.write(f.name, saved, f.value))
		}
	}
	return errs
}

// write writes one checkpoint file.
func (d *Dir) write(name string, saved map[TopicPartition]offsets, value func(offsets) (value int64, told bool)) error {
	values := make(map[TopicPartition]int64, len(saved))
	for tp, o := range saved {
		if v, told := value(o); told {
			values[tp] = v
		}
	}
	return replace(filepath.Join(d.path, name), encodeOffsets(values), false)
}
