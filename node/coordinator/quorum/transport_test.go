package quorum

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func FuzzFrame(f *testing.F) {
	message, err := proto.Marshal(heartbeat(1, 2, 3))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(binary.BigEndian.AppendUint32(nil, uint32(len(message)+1)), append([]byte{frameMessage}, message...)...))
	f.Add([]byte{0x3f, 0xff, 0xff, 0xff, frameTouched})
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, body, err := readFrame(bufio.NewReader(bytes.NewReader(b)))
		if err == nil && len(body) > len(b) {
			t.Errorf("%d bytes of %d", len(body), len(b))
		}
		if err == nil && kind == frameMessage {
			_ = proto.Unmarshal(body, &raftpb.Message{})
		}
	})
}
