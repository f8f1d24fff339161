package records

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Text decodes bytes for people: UTF-8 as it is, with control characters made visible; everything else as hex
// after 0x.
func Text(data []byte) string {
	if !utf8.Valid(data) {
		return "0x" + hex.EncodeToString(data)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < 0x20:
			return 0x2400 + r // the control pictures block shows them
		case unicode.IsControl(r):
			return unicode.ReplacementChar
		}
		return r
	}, string(data))
}

// jsonRecord is a record on a line of JSON: what is not UTF-8 is in the field of base64.
type jsonRecord struct {
	plainRecord
	Key         *string      `json:"key"`
	KeyBase64   []byte       `json:"key_base64,omitempty"`
	Value       *string      `json:"value"`
	ValueBase64 []byte       `json:"value_base64,omitempty"`
	Headers     []jsonHeader `json:"headers,omitempty"`
}

type plainRecord Record

type jsonHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 []byte  `json:"value_base64,omitempty"`
}

// MarshalJSON writes key, value and header values as text where they are UTF-8, else as base64; null is null.
func (r Record) MarshalJSON() ([]byte, error) {
	out := jsonRecord{plainRecord: plainRecord(r)}
	out.Key, out.KeyBase64 = textOrBytes(r.Key)
	out.Value, out.ValueBase64 = textOrBytes(r.Value)
	for _, h := range r.Headers {
		header := jsonHeader{Key: h.Key}
		header.Value, header.ValueBase64 = textOrBytes(h.Value)
		out.Headers = append(out.Headers, header)
	}
	return json.Marshal(out)
}

func textOrBytes(data []byte) (*string, []byte) {
	switch {
	case data == nil:
		return nil, nil
	case utf8.Valid(data):
		text := string(data)
		return &text, nil
	}
	return nil, data
}

func fromKafka(k *kgo.Record) Record {
	r := Record{
		Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Time: k.Timestamp, TimeType: "CreateTime",
		Key: k.Key, Value: k.Value, LeaderEpoch: k.LeaderEpoch,
		ProducerID: k.ProducerID, ProducerEpoch: k.ProducerEpoch, Transactional: k.Attrs.IsTransactional(),
	}
	if k.Attrs.TimestampType() == 1 {
		r.TimeType = "LogAppendTime"
	}
	for _, h := range k.Headers {
		r.Headers = append(r.Headers, Header{Key: h.Key, Value: h.Value})
	}
	return r
}
