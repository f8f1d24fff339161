// Package freeport finds ports for the nodes of a test.
package freeport

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
)

// Ports lie below those that the system gives to outgoing connections and to listeners that ask for any: one of these
// could otherwise hold the port of a node that has not started yet, or was killed and cannot start again. They lie above
// those that kdrill up takes when it is told nothing else.
const lowest, count = 20_200, 12_000

// given are those that a test of this process has, whose node may be down, with what keeps other processes from taking them.
var given = struct {
	sync.Mutex
	ports map[int]io.Closer
}{ports: map[int]io.Closer{}}

// Find returns n ports on loopback that nobody listens on and that were not returned before, also not to the tests of
// another package that run beside these.
func Find(t testing.TB, n int) []int {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		port := lowest + rand.IntN(count)
		if given.ports[port] != nil {
			continue
		}
		name, err := take(port)
		if err == nil { // no other process has it
			var l net.Listener
			if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
				name.Close()
			} else {
				defer l.Close()
				given.ports[port] = name
				ports = append(ports, port)
			}
		}
		if err != nil && tries > 1000 {
			t.Fatal(err)
		}
	}
	return ports
}

// take makes this process the one that has a port, until it ends: an abstract socket is nobody else's and leaves nothing
// behind. Where there are none, chance has to do.
func take(port int) (io.Closer, error) {
	if runtime.GOOS != "linux" {
		return io.NopCloser(nil), nil
	}
	return net.Listen("unix", fmt.Sprintf("@kdrill-test-port-%d", port))
}

// One returns one.
func One(t testing.TB) int {
	t.Helper()
	return Find(t, 1)[0]
}
