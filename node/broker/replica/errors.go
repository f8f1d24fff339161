package replica

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/log"
)

var notLeader = kerr.NotLeaderForPartition // NOT_LEADER_OR_FOLLOWER since Kafka 2.6

// code is the protocol's error code of err, 0 for nil.
func code(err error) int16 {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		if e == nil {
			return 0
		}
		return e.Code
	}
	for _, known := range []struct {
		err  error
		kerr *kerr.Error
	}{
		{log.ErrStorage, kerr.KafkaStorageError},
		{log.ErrOffsetOutOfRange, kerr.OffsetOutOfRange},
		{log.ErrCorrupt, kerr.CorruptMessage},
		{log.ErrInvalidRecord, kerr.InvalidRecord},
		{log.ErrInvalidTimestamp, kerr.InvalidTimestamp},
		{log.ErrTooLarge, kerr.MessageTooLarge},
		{log.ErrListTooLarge, kerr.RecordListTooLarge},
		{log.ErrCompression, kerr.UnsupportedCompressionType},
		{log.ErrUnsupportedMagic, kerr.UnsupportedForMessageFormat},
		{log.ErrOutOfOrderSequence, kerr.OutOfOrderSequenceNumber},
		{log.ErrProducerFenced, kerr.InvalidProducerEpoch},
		{log.ErrCoordinatorFenced, kerr.TransactionCoordinatorFenced},
		{log.ErrInvalidTxnState, kerr.InvalidTxnState},
		{log.ErrClosed, kerr.NotLeaderForPartition},
	} {
		if errors.Is(err, known.err) {
			return known.kerr.Code
		}
	}
	return kerr.UnknownServerError.Code
}

// missing answers for a partition that is not here.
func (r *Replicas) missing(k key) *kerr.Error {
	if r.cfg.Hosted != nil && r.cfg.Hosted(k.Topic, k.Partition) {
		return notLeader
	}
	return kerr.UnknownTopicOrPartition
}

// protocolError is err as a protocol error, keeping what it says.
func protocolError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*kerr.Error](err); ok {
		return err
	}
	return errors.Join(kerr.ErrorForCode(code(err)), err)
}
