package quorum

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// snapshot sends a snapshot, as the file that it is, over a connection of its own, so that heartbeats need not wait
// behind it.
func (t *transport) snapshot(ctx context.Context, m *raftpb.Message) {
	status := raft.SnapshotFailure
	defer func() { t.to.snapshotSent(m.GetTo(), status) }()
	size, err := t.sendSnapshot(ctx, m)
	if err != nil {
		if ctx.Err() == nil {
			t.log.Warn("snapshot not sent", "to", m.GetTo(), "err", err)
		}
		return
	}
	status = raft.SnapshotFinish
	t.log.Info("snapshot sent", "to", m.GetTo(), "bytes", size)
}

func (t *transport) sendSnapshot(ctx context.Context, m *raftpb.Message) (size int64, err error) {
	p := t.peer(m.GetTo())
	if p == nil {
		return 0, errors.New("it is no peer any more")
	}
	file, size, err := t.to.openSnapshot(m.GetSnapshot().GetMetadata().GetIndex())
	if err != nil {
		return 0, err
	}
	defer file.Close()
	b, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, 5), m)
	if err != nil {
		return 0, err
	}
	b[4] = frameFile
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	conn, err := t.dial(ctx, p)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	to := patient{conn}
	if _, err := to.Write(b); err != nil {
		return 0, err
	}
	if _, err := io.CopyBuffer(to, onlyReader{file}, make([]byte, snapshotPart)); err != nil {
		return 0, err
	}
	conn.SetDeadline(time.Now().Add(4 * writeLimit))
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return 0, err
	}
	// The other side closes once it has read all.
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("not acknowledged: %w", err)
	}
	return size, nil
}

// patient is a connection whose deadline is for progress, not for the whole.
type patient struct{ net.Conn }

func (p patient) Write(b []byte) (int, error) {
	p.SetDeadline(time.Now().Add(writeLimit))
	return p.Conn.Write(b)
}

// onlyReader hides that a file can write itself to a connection, which would be all at once.
type onlyReader struct{ io.Reader }

// receiveSnapshot reads a snapshot file, which the store keeps under a name that is then the snapshot's data.
func (t *transport) receiveSnapshot(r *bufio.Reader, from uint64, message []byte) error {
	m := &raftpb.Message{}
	if err := proto.Unmarshal(message, m); err != nil || m.GetFrom() != from || raft.IsEmptySnap(m.GetSnapshot()) {
		return fmt.Errorf("unreadable snapshot message of coordinator %d", from)
	}
	var size [8]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil
	}
	name, err := t.to.receive(r, int64(binary.BigEndian.Uint64(size[:])))
	if err != nil {
		return fmt.Errorf("snapshot of coordinator %d: %w", from, err)
	}
	m.Snapshot.Data = []byte(name)
	t.to.received(m)
	return nil
}
