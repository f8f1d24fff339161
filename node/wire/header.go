package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Keys of requests that are handled or framed in a way of their own.
const (
	keyProduce            = 0
	keyFetch              = 1
	keyControlledShutdown = 7
	keyAPIVersions        = 18
)

// header is the fixed start of every request.
type header struct {
	Key, Version  int16
	CorrelationID int32
	ClientID      string
}

func (h header) String() string { return fmt.Sprintf("%s v%d", kmsg.NameForKey(h.Key), h.Version) }

// readHeader takes the part of the header that all versions share, up to the client id.
func readHeader(src []byte) (h header, rest []byte, err error) {
	if len(src) < 8 {
		return h, nil, malformed("frame of %d bytes is too short for a request header", len(src))
	}
	h.Key = int16(binary.BigEndian.Uint16(src))
	h.Version = int16(binary.BigEndian.Uint16(src[2:]))
	h.CorrelationID = int32(binary.BigEndian.Uint32(src[4:]))
	src = src[8:]
	if h.Key == keyControlledShutdown && h.Version == 0 {
		return h, src, nil
	}
	if len(src) < 2 {
		return h, nil, malformed("request header ends before the client id")
	}
	size := int(int16(binary.BigEndian.Uint16(src)))
	src = src[2:]
	if size > len(src) || size < -1 {
		return h, nil, malformed("client id of %d bytes in a header with %d left", size, len(src))
	}
	if size > 0 {
		h.ClientID, src = string(src[:size]), src[size:]
	}
	return h, src, nil
}

// skipTags steps over the tagged fields that end a flexible header.
func skipTags(src []byte) ([]byte, error) {
	count, n := binary.Uvarint(src)
	if n <= 0 {
		return nil, malformed("header ends before its tags")
	}
	src = src[n:]
	for ; count > 0; count-- {
		_, n := binary.Uvarint(src)
		if n <= 0 {
			return nil, malformed("header ends within its tags")
		}
		src = src[n:]
		size, n := binary.Uvarint(src)
		if n <= 0 || size > uint64(len(src)-n) {
			return nil, malformed("header ends within its tags")
		}
		src = src[n+int(size):]
	}
	return src, nil
}

// readBody decodes a request of a known key. A decoder that panics is a malformed frame, too.
func readBody(h header, src []byte) (body kmsg.Request, err error) {
	body = kmsg.RequestForKey(h.Key)
	if body == nil {
		return nil, malformed("unknown API key %d", h.Key)
	}
	body.SetVersion(h.Version)
	name := kmsg.NameForKey(h.Key)
	defer func() {
		if p := recover(); p != nil {
			body, err = nil, malformed("%s v%d: %v", name, h.Version, p)
		}
	}()
	if body.IsFlexible() {
		if src, err = skipTags(src); err != nil {
			return nil, err
		}
		if err := fits(h.Key, h.Version, src); err != nil {
			return nil, err
		}
	}
	if err := body.ReadFrom(src); err != nil {
		return nil, malformed("%s v%d: %w", name, h.Version, err)
	}
	return body, nil
}

// appendResponse appends response header and body.
func appendResponse(dst []byte, correlationID int32, response kmsg.Response) []byte {
	return response.AppendTo(appendHeader(dst, correlationID, response))
}

func appendHeader(dst []byte, correlationID int32, response kmsg.Response) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlationID))
	if response.IsFlexible() && response.Key() != keyAPIVersions {
		dst = append(dst, 0)
	}
	return dst
}

// readResponse decodes header and body of the reply to request.
func readResponse(src []byte, request kmsg.Request) (response kmsg.Response, err error) {
	response = request.ResponseKind()
	response.SetVersion(request.GetVersion())
	name := kmsg.NameForKey(request.Key())
	defer func() {
		if p := recover(); p != nil {
			response, err = nil, fmt.Errorf("reply to %s v%d: %v", name, request.GetVersion(), p)
		}
	}()
	if response.IsFlexible() && response.Key() != keyAPIVersions {
		if src, err = skipTags(src); err != nil {
			return nil, err
		}
	}
	if err := response.ReadFrom(src); err != nil {
		return nil, fmt.Errorf("reply to %s v%d: %w", name, request.GetVersion(), err)
	}
	return response, nil
}
