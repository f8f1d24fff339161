package group

import "unicode/utf16"

// PartitionOf is the partition of __consumer_offsets that a group belongs to, or of __transaction_state for a transactional id: Java's String.hashCode, over UTF-16 units, with
// the sign made positive (the most negative number becomes 0), modulo the partitions.
func PartitionOf(id string, partitions int32) int32 {
	var h int32
	for _, unit := range utf16.Encode([]rune(id)) {
		h = 31*h + int32(unit)
	}
	if h == -1<<31 {
		return 0
	}
	return max(h, -h) % partitions
}
