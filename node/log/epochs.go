package log

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An epoch is where a leader's term begins in the log.
type epoch struct {
	epoch int32
	start int64
}

// epochs is the history of leaders, ascending in both fields.
type epochs []epoch

func (es epochs) last() int32 {
	if len(es) == 0 {
		return -1
	}
	return es[len(es)-1].epoch
}

// begin adds an epoch; entries that contradict it, because they are as new or begin later, go. It reports a change.
func (es epochs) begin(e int32, start int64) (epochs, bool) {
	if i := slices.IndexFunc(es, func(x epoch) bool { return x.epoch == e }); i >= 0 && es[i].start <= start && i == len(es)-1 {
		return es, false
	}
	i := slices.IndexFunc(es, func(x epoch) bool { return x.epoch >= e || x.start >= start })
	if i < 0 {
		i = len(es)
	}
	return append(slices.Clip(es[:i]), epoch{e, start}), true
}

// end answers where the requested epoch ends in this log (KIP-101): the largest epoch up to it that is known and the
// offset at which the next one begins. -1, -1 when nothing can be said about it; an epoch older than all
// known is answered with itself and the start of the oldest (KIP-279).
func (es epochs) end(requested int32, logEnd int64) (int32, int64) {
	if requested < 0 || len(es) == 0 || requested > es.last() {
		return -1, -1
	}
	if requested == es.last() {
		return requested, logEnd
	}
	higher := slices.IndexFunc(es, func(x epoch) bool { return x.epoch > requested })
	if higher == 0 {
		return requested, es[0].start
	}
	return es[higher-1].epoch, es[higher].start
}

// at is the epoch of the record at an offset, -1 if unknown.
func (es epochs) at(offset int64) int32 {
	e := int32(-1)
	for _, x := range es {
		if x.start > offset {
			break
		}
		e = x.epoch
	}
	return e
}

// cutEnd forgets epochs that begin at or after the log's new end.
func (es epochs) cutEnd(end int64) epochs {
	i := slices.IndexFunc(es, func(x epoch) bool { return x.start >= end })
	if i < 0 {
		return es
	}
	return slices.Clip(es[:i])
}

// cutStart forgets epochs that ended before the log's new start; the one that is left at it begins there.
func (es epochs) cutStart(start int64) epochs {
	i := 0
	for i+1 < len(es) && es[i+1].start <= start {
		i++
	}
	if len(es) == 0 || es[i].start >= start {
		return es[i:]
	}
	kept := slices.Clone(es[i:])
	kept[0].start = start
	return kept
}

// encode writes the text of leader-epoch-checkpoint: version, count, and a line "epoch start" for each.
func (es epochs) encode() []byte {
	b := fmt.Appendf(nil, "0\n%d\n", len(es))
	for _, x := range es {
		b = fmt.Appendf(b, "%d %d\n", x.epoch, x.start)
	}
	return b
}

func decodeEpochs(text []byte) (epochs, error) {
	lines, err := checkpointLines(text, 2)
	if err != nil {
		return nil, err
	}
	var es epochs
	for _, f := range lines {
		e, err1 := strconv.ParseInt(f[0], 10, 32)
		start, err2 := strconv.ParseInt(f[1], 10, 64)
		if err1 != nil || err2 != nil || e < 0 || start < 0 {
			return nil, fmt.Errorf("line %q", strings.Join(f, " "))
		}
		if int32(e) <= es.last() || len(es) > 0 && start < es[len(es)-1].start {
			return nil, fmt.Errorf("epoch %d at %d is not after epoch %d", e, start, es.last())
		}
		es = append(es, epoch{int32(e), start})
	}
	return es, nil
}
