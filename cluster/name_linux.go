package cluster

import (
	"io"
	"net"
	"strconv"
)

// takeName makes this process the one that speaks for a port, until it ends: an abstract socket belongs to the network
// namespace that the port belongs to as well, and leaves nothing behind.
func takeName(port int) (io.Closer, error) {
	return net.Listen("unix", "@kdrill-port-"+strconv.Itoa(port))
}
