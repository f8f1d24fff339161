package replica

import (
	"iter"

	"kdrill/node/log"
)

// loadBytes is how much of an internal topic's partition is read at once.
const loadBytes = 5 << 20

// ReadInternal yields what is in a partition that this broker leads, as runs of whole batches from the log's start up to
// its end at the time of the call. That is beyond the high watermark: a new leader learns only later how much of it was
// committed, and what is in its log will be. An error ends the sequence.
func (r *Replicas) ReadInternal(topic string, partition int32) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		k := key{Topic: topic, Partition: partition}
		p := r.lookup(k)
		if p == nil {
			yield(nil, r.missing(k))
			return
		}
		p.mu.Lock()
		end, err := p.end, p.leads(noEpoch)
		p.mu.Unlock()
		for at := p.log.Start(); err == nil && at < end; {
			var batches []byte
			if batches, err = p.log.Read(at, end, loadBytes, true); err != nil {
				break
			}
			next := nextOffset(batches, at)
			if next == at {
				return // all that is left was compacted away
			}
			if at = next; !yield(batches, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, protocolError(p.readError(err)))
		}
	}
}

// nextOffset is the offset after the last batch, at if there is none.
func nextOffset(batches []byte, at int64) int64 {
	for b, err := range log.Batches(batches) {
		if err != nil {
			break
		}
		at = max(at, b.LastOffset()+1)
	}
	return at
}
