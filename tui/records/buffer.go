package records

import (
	"kdrill/admin/records"
)

// capacity is how many records a screen holds; older ones make room.
const capacity = 5000

// identity tells records of one topic apart.
type identity struct {
	partition int32
	offset    int64
}

func identify(r *records.Record) identity { return identity{r.Partition, r.Offset} }

// buffer holds the newest records, oldest first.
type buffer struct {
	records []records.Record
	dropped int64 // records that made room
}

func (b *buffer) add(batch []records.Record) {
	b.records = append(b.records, batch...)
	if over := len(b.records) - capacity; over > 0 {
		b.dropped += int64(over)
		// Copied, so that the array behind does not keep what was dropped.
		b.records = append(make([]records.Record, 0, 2*capacity), b.records[over:]...)
	}
}

// matching returns the records that pass the filter, without copying what they hold.
func (b *buffer) matching(f filter) []*records.Record {
	rows := make([]*records.Record, 0, len(b.records))
	for i := range b.records {
		if f.match(&b.records[i]) {
			rows = append(rows, &b.records[i])
		}
	}
	return rows
}
