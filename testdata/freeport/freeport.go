// Package freeport finds ports for the nodes of a test.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Ports lie below those that the system gives to outgoing connections and to listeners that ask for any: one of these
// could otherwise hold the port of a node that has not started yet, or was killed and cannot start again.
const lowest, count = 12_000, 20_000

// given are those that a test of this process has, whose node may be down.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// Find returns n ports on loopback that nobody listens on and that were not returned before.
func Find(t testing.TB, n int) []int {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		port := lowest + rand.IntN(count)
		if given.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil && tries > 1000 {
			t.Fatal(err)
		}
		if err == nil {
			defer l.Close()
			given.ports[port] = true
			ports = append(ports, port)
		}
	}
	return ports
}

// One returns one.
func One(t testing.TB) int {
	t.Helper()
	return Find(t, 1)[0]
}
