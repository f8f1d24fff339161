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

// serves says whether a node serves its clients now: a coordinator that has joined a quorum, a broker that the controller
// has told who is in the cluster, a controller that answers requests. It speaks the fewest bytes of each protocol that
// prove it.
func serves(ctx context.Context, n Node) error {
	switch n.Role {
	case Coordinator:
		_, err := Mode(ctx, n.Address())
		return err
	case Broker:
		return converse(ctx, n.Address(), askMembers)
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

// Kafka's requests and answers, of those versions that have no tagged fields:
//
//	size int32, key int16, version int16, correlation int32, client id string, …  ->  size int32, correlation int32, …
const (
	correlation = 1
	clientID    = "kdrill"
)

// askVersions sends ApiVersions in version 0, which every broker and controller answers: -> error int16 …
func askVersions(conn io.ReadWriter) error {
	var answer [2]byte
	if err := request(conn, 18, 0, nil, answer[:]); err != nil {
		return err
	}
	if code := int16(binary.BigEndian.Uint16(answer[:])); code != 0 {
		return fmt.Errorf("the broker answered with error %d", code)
	}
	return nil
}

// askMembers sends Metadata in version 7, of Kafka 2.1 and all since: topics array (none), may create bool -> throttled
// int32, brokers array …
func askMembers(conn io.ReadWriter) error {
	var answer [8]byte
	if err := request(conn, 3, 7, []byte{0, 0, 0, 0, 0}, answer[:]); err != nil {
		return err
	}
	if int32(binary.BigEndian.Uint32(answer[4:])) < 1 {
		return errors.New("the broker has not heard from the controller yet")
	}
	return nil
}

// request reads as much of the answer as there is room for.
func request(conn io.ReadWriter, key, version uint16, body, answer []byte) error {
	message := binary.BigEndian.AppendUint32(nil, uint32(2+2+4+2+len(clientID)+len(body)))
	message = binary.BigEndian.AppendUint16(message, key)
	message = binary.BigEndian.AppendUint16(message, version)
	message = binary.BigEndian.AppendUint32(message, correlation)
	message = binary.BigEndian.AppendUint16(message, uint16(len(clientID)))
	message = append(append(message, clientID...), body...)
	if _, err := conn.Write(message); err != nil {
		return err
	}
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	if size := int64(binary.BigEndian.Uint32(head[:])); size < int64(4+len(answer)) || size > 1<<20 {
		return fmt.Errorf("an answer of %d bytes is none of a broker", size)
	}
	if got := binary.BigEndian.Uint32(head[4:]); got != correlation {
		return fmt.Errorf("the answer to request %d came with %d", correlation, got)
	}
	_, err := io.ReadFull(conn, answer)
	return err
}
