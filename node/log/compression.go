package log

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxRecords bounds what a batch may decompress to, so that a few bytes cannot take all memory.
const maxRecords = 256 << 20

// body is the batch's records, decompressed.
func (b Batch) body() ([]byte, error) {
	body, err := decompress(nil, b.Attributes()&compressionMask, b[headerSize:])
	if err != nil {
		return nil, fmt.Errorf("%w: batch at %d: %w", ErrCorrupt, b.BaseOffset(), err)
	}
	return body, nil
}

// Decompressors are used again: making one costs more than most batches do.
var (
	gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	lz4s  = sync.Pool{New: func() any { return lz4.NewReader(nil) }}
	zstds = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxRecords), zstd.WithDecoderLowmem(true))
	})
)

// decompress undoes a codec, by its number in a batch's attributes, and appends to dst; what is not compressed it returns
// as it is.
func decompress(dst []byte, codec int16, body []byte) ([]byte, error) {
	switch codec {
	case 0:
		return body, nil
	case 1:
		r := gzips.Get().(*gzip.Reader)
		defer gzips.Put(r)
		if err := r.Reset(bytes.NewReader(body)); err != nil {
			return nil, err
		}
		return bounded(dst, r)
	case 2:
		return unsnappy(dst, body)
	case 3:
		r := lz4s.Get().(*lz4.Reader)
		defer lz4s.Put(r)
		r.Reset(bytes.NewReader(body))
		return bounded(dst, r)
	case 4:
		d, err := zstds()
		if err != nil {
			return nil, err
		}
		return d.DecodeAll(body, dst)
	}
	return nil, fmt.Errorf("compression %d", codec)
}

// bounded appends what r yields, up to maxRecords.
func bounded(dst []byte, r io.Reader) ([]byte, error) {
	dst = slices.Grow(dst, 4<<10)
	for {
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > maxRecords:
			return nil, fmt.Errorf("more than %d bytes of records", maxRecords)
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return nil, err
		case len(dst) == cap(dst):
			dst = slices.Grow(dst, len(dst))
		}
	}
}

// Java producers frame snappy in chunks: this mark, two versions (int32), then length (int32) and block, repeatedly.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func unsnappy(dst, src []byte) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) {
		return block(dst, src)
	}
	if len(src) < 16 {
		return nil, io.ErrUnexpectedEOF
	}
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(src))
		if src = src[4:]; n > int64(len(src)) {
			return nil, io.ErrUnexpectedEOF
		}
		var err error
		if dst, err = block(dst, src[:n]); err != nil {
			return nil, err
		}
		if src = src[n:]; len(dst) > maxRecords {
			return nil, fmt.Errorf("more than %d bytes of records", maxRecords)
		}
	}
	return dst, nil
}

// block appends one block of snappy.
func block(dst, src []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	if err == nil && n > maxRecords {
		err = fmt.Errorf("more than %d bytes of records", maxRecords)
	}
	if err != nil {
		return nil, err
	}
	dst = slices.Grow(dst, n)
	if _, err := snappy.Decode(dst[len(dst):len(dst)+n], src); err != nil {
		return nil, err
	}
	return dst[:len(dst)+n], nil
}

// compress is the inverse of body, in the framing that Java clients read.
func compress(codec int16, body []byte, levels CompressionLevels) ([]byte, error) {
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch codec {
	case 0:
		return body, nil
	case 1:
		w, err = gzip.NewWriterLevel(&out, cmp.Or(levels.Gzip, gzip.DefaultCompression))
	case 2:
		out.Write(xerial)
		chunk := snappy.Encode(nil, body)
		for _, n := range []int{1, 1, len(chunk)} {
			_ = binary.Write(&out, binary.BigEndian, int32(n)) // never fails
		}
		out.Write(chunk)
		return out.Bytes(), nil
	case 3:
		z := lz4.NewWriter(&out)
		w, err = z, z.Apply(lz4.CompressionLevelOption(levels.lz4()))
	case 4:
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(cmp.Or(levels.Zstd, 3))))
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

// CompressionLevels say how hard a broker compresses what producers did not; 0 is the default.
type CompressionLevels struct {
	Gzip int // compression.gzip.level, 1 to 9 or -1
	LZ4  int // compression.lz4.level, 1 to 17
	Zstd int // compression.zstd.level, -131072 to 22
}

// lz4 is the library's level: Kafka's default, 9, stands for the fast compressor.
func (c CompressionLevels) lz4() lz4.CompressionLevel {
	levels := []lz4.CompressionLevel{lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5, lz4.Level6, lz4.Level7, lz4.Level8}
	switch {
	case c.LZ4 <= 0 || c.LZ4 == 9:
		return lz4.Fast
	case c.LZ4 > len(levels):
		return lz4.Level9
	}
	return levels[c.LZ4-1]
}

// codecs are the values of compression.type that name one, by their number in a batch's attributes.
var codecs = []string{"uncompressed", "gzip", "snappy", "lz4", "zstd"}

// recompress is the batch with its records under another codec.
func (b Batch) recompress(codec int16, levels CompressionLevels) (Batch, error) {
	if b.Attributes()&compressionMask == codec {
		return b, nil
	}
	body, err := b.body()
	if err != nil {
		return nil, err
	}
	if body, err = compress(codec, body, levels); err != nil {
		return nil, err
	}
	out := append(append(make(Batch, 0, headerSize+len(body)), b[:headerSize]...), body...)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-overhead))
	binary.BigEndian.PutUint16(out[21:], uint16(b.Attributes()&^compressionMask|codec))
	out.seal()
	return out, nil
}
