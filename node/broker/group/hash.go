package group

import "unicode/utf16"

// partitionOf is the partition of __consumer_offsets that a group belongs to: Java's String.hashCode, over UTF-16 units, with
// the sign made positive (the most negative number becomes 0), modulo the partitions.
func partitionOf(id string, partitions int32) int32 {
	var h int32
	for _, unit := range utf16.Encode([]rune(id)) {
		h = 31*h + int32(unit)
	}
	if h == -1<<31 {
		return 0
	}
	return max(h, -h) % partitions
}
