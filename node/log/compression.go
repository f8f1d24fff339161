package log

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxRecords bounds what a batch may decompress to, so that a few bytes cannot take all memory.
const maxRecords = 256 << 20

// body is the batch's records, decompressed.
func (b Batch) body() ([]byte, error) {
	body := []byte(b[headerSize:])
	var err error
	switch codec := b.Attributes() & compressionMask; codec {
	case 0:
		return body, nil
	case 1:
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = bounded(r)
		}
	case 2:
		body, err = unsnappy(body)
	case 3:
		body, err = bounded(lz4.NewReader(bytes.NewReader(body)))
	case 4:
		var r *zstd.Decoder
		if r, err = zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRecords)); err == nil {
			body, err = bounded(r)
			r.Close()
		}
	default:
		err = fmt.Errorf("compression %d", codec)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: batch at %d: %w", ErrCorrupt, b.BaseOffset(), err)
	}
	return body, nil
}

func bounded(r io.Reader) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, maxRecords+1))
	if len(out) > maxRecords {
		return nil, fmt.Errorf("more than %d bytes of records", maxRecords)
	}
	return out, err
}

// Java producers frame snappy in chunks: this mark, two versions (int32), then length (int32) and block, repeatedly.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func unsnappy(src []byte) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) {
		return block(src)
	}
	if len(src) < 16 {
		return nil, io.ErrUnexpectedEOF
	}
	var out []byte
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(src))
		if src = src[4:]; n > int64(len(src)) {
			return nil, io.ErrUnexpectedEOF
		}
		chunk, err := block(src[:n])
		if err != nil {
			return nil, err
		}
		if src, out = src[n:], append(out, chunk...); len(out) > maxRecords {
			return nil, fmt.Errorf("more than %d bytes of records", maxRecords)
		}
	}
	return out, nil
}

func block(src []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	if err == nil && n > maxRecords {
		err = fmt.Errorf("more than %d bytes of records", maxRecords)
	}
	if err != nil {
		return nil, err
	}
	return snappy.Decode(nil, src)
}

// compress is the inverse of body, in the framing that Java clients read.
func compress(codec int16, body []byte) ([]byte, error) {
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch codec {
	case 0:
		return body, nil
	case 1:
		w = gzip.NewWriter(&out)
	case 2:
		out.Write(xerial)
		chunk := snappy.Encode(nil, body)
		for _, n := range []int{1, 1, len(chunk)} {
			_ = binary.Write(&out, binary.BigEndian, int32(n)) // never fails
		}
		out.Write(chunk)
		return out.Bytes(), nil
	case 3:
		w = lz4.NewWriter(&out)
	case 4:
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	default:
		err = fmt.Errorf("%w: compression %d", ErrCorrupt, codec)
	}
	if err == nil {
		_, err = w.Write(body)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}
