package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Where SASL is asked for, wire answers its requests. Elsewhere they are out of place.

func saslHandshake(_ context.Context, req *kmsg.SASLHandshakeRequest) *kmsg.SASLHandshakeResponse {
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	resp.ErrorCode = kerr.IllegalSaslState.Code
	return resp
}

func saslAuthenticate(_ context.Context, req *kmsg.SASLAuthenticateRequest) *kmsg.SASLAuthenticateResponse {
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	text := "this listener does not ask for SASL, or the client has authenticated already"
	resp.ErrorCode, resp.ErrorMessage, resp.SASLAuthBytes = kerr.IllegalSaslState.Code, &text, []byte{}
	return resp
}
