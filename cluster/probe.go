package cluster

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// serves says whether a node serves its clients now: a coordinator that has joined a quorum, a broker that answers
// requests. It speaks the fewest bytes of each protocol that prove it.
func serves(ctx context.Context, n Node) error {
	if n.Role == Coordinator {
		_, err := Mode(ctx, n.Address())
		return err
	}
	return converse(ctx, n.Address(), askVersions)
}

// Mode asks a coordinator what it is now: leader, follower, standalone. It fails while the coordinator is in no quorum.
func Mode(ctx context.Context, address string) (mode string, err error) {
	err = converse(ctx, address, func(conn io.ReadWriter) (err error) {
		mode, err = askMode(conn)
		return err
	})
	return mode, err
}

// converse connects, and gives the conversation a second.
func converse(ctx context.Context, address string, talk func(io.ReadWriter) error) error {
	d := net.Dialer{Deadline: time.Now().Add(time.Second)}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(d.Deadline); err != nil {
		return err
	}
	return talk(conn)
}

// askMode sends ZooKeeper's four-letter word srvr; the answer has a line "Mode: follower" where there is a quorum.
func askMode(conn io.ReadWriter) (string, error) {
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 64<<10))
	if err != nil && len(answer) == 0 {
		return "", err
	}
	_, rest, ok := bytes.Cut(answer, []byte("Mode: "))
	if !ok {
		return "", errors.New("coordinator is in no quorum")
	}
	mode, _, _ := bytes.Cut(rest, []byte("\n"))
	return string(bytes.TrimSpace(mode)), nil
}

// askVersions sends Kafka's ApiVersions request in version 0, which every broker answers:
//
//	size int32, key int16 = 18, version int16 = 0, correlation int32, client id string  ->  size int32, correlation int32, error int16 …
func askVersions(conn io.ReadWriter) error {
	const correlation = 1
	const client = "kdrill"
	request := binary.BigEndian.AppendUint32(nil, uint32(2+2+4+2+len(client)))
	request = binary.BigEndian.AppendUint16(request, 18)
	request = binary.BigEndian.AppendUint16(request, 0)
	request = binary.BigEndian.AppendUint32(request, correlation)
	request = binary.BigEndian.AppendUint16(request, uint16(len(client)))
	request = append(request, client...)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var head [10]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	if size := binary.BigEndian.Uint32(head[:]); size < 6 || size > 1<<20 {
		return fmt.Errorf("an answer of %d bytes is none of a broker", size)
	}
	if got := binary.BigEndian.Uint32(head[4:]); got != correlation {
		return fmt.Errorf("the answer to request %d came with %d", correlation, got)
	}
	if code := int16(binary.BigEndian.Uint16(head[8:])); code != 0 {
		return fmt.Errorf("the broker answered with error %d", code)
	}
	return nil
}
