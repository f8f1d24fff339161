package log

import (
	"errors"
	"fmt"
	"syscall"
)

// What a caller may have to tell apart; all are wrapped with the partition they happened on.
var (
	ErrOffsetOutOfRange   = errors.New("offset out of range")             // OFFSET_OUT_OF_RANGE
	ErrCorrupt            = errors.New("corrupt record batch")            // CORRUPT_MESSAGE
	ErrInvalidRecord      = errors.New("invalid record")                  // INVALID_RECORD
	ErrInvalidTimestamp   = errors.New("invalid timestamp")               // INVALID_TIMESTAMP
	ErrTooLarge           = errors.New("record batch too large")          // MESSAGE_TOO_LARGE
	ErrListTooLarge       = errors.New("larger than a segment")           // RECORD_LIST_TOO_LARGE
	ErrCompression        = errors.New("compression not supported")       // UNSUPPORTED_COMPRESSION_TYPE
	ErrUnsupportedMagic   = errors.New("message format version not 2")    // UNSUPPORTED_FOR_MESSAGE_FORMAT
	ErrOutOfOrderSequence = errors.New("out of order sequence number")    // OUT_OF_ORDER_SEQUENCE_NUMBER
	ErrProducerFenced     = errors.New("producer epoch was fenced")       // INVALID_PRODUCER_EPOCH
	ErrCoordinatorFenced  = errors.New("transaction coordinator fenced")  // TRANSACTION_COORDINATOR_FENCED
	ErrInvalidTxnState    = errors.New("invalid transaction state")       // INVALID_TXN_STATE
	ErrNotContinuous      = errors.New("batch does not continue the log") // a follower must fetch from End
	ErrStorage            = errors.New("log directory failed")            // KAFKA_STORAGE_ERROR
	ErrLocked             = errors.New("log directory in use")            // another process holds .lock
	ErrIdentity           = errors.New("log directory of another broker") // meta.properties differs
	ErrClosed             = errors.New("log is closed")                   // after Dir.Close or Delete
)

// storage wraps an error of the disk, so that it reads as a sentence and answers errors.Is(err, ErrStorage).
func storage(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrStorage):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: disk full (while it %s): free some space, then restart the broker: %w", ErrStorage, what, err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%w: too many open files (while it %s): raise the limit (ulimit -n): %w", ErrStorage, what, err)
	}
	return fmt.Errorf("%w (while it %s): %w", ErrStorage, what, err)
}
