// Package wire carries Kafka's protocol over TCP: frames, request and response headers, the table of
// supported versions, a server and a client connection.
//
// A [Server] reads a frame, decodes its header and, with kmsg, its body, hands the [Request] to a [Handler]
// and writes what it returns. A [Client] numbers requests, writes them in order and matches the replies, which
// come back in the same order. A frame that cannot be read ends its connection and nothing else.
//
// Each served connection is one goroutine that handles one request at a time, so replies are in request order
// and a long poll holds up its own connection only. Produce requests that wait for their acks ([Request.Later]) do not
// hold up the next Produce; a second goroutine answers them in turn. A Client may be shared: it has one goroutine for
// replies.
//
// Layouts (all integers big endian):
//
//	frame            int32 size | header | body
//	request header   int16 key | int16 version | int32 correlation id   (v0, only ControlledShutdown v0)
//	                 … | nullable string client id                      (v1)
//	                 … | tags                                           (v2, flexible versions)
//	response header  int32 correlation id                               (v0, and always for ApiVersions)
//	                 … | tags                                           (v1, flexible versions)
//
// Source: https://kafka.apache.org/protocol, KIP-482, KIP-511.
package wire
