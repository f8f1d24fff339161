package log

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
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
	var b bytes.Buffer
	fmt.Fprintf(&b, "0\n%d\n", len(offsets))
	tps := slices.SortedFunc(maps.Keys(offsets), func(a, b TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, tp := range tps {
		fmt.Fprintf(&b, "%s %d %d\n", tp.Topic, tp.Partition, offsets[tp])
	}
	return b.Bytes()
}
