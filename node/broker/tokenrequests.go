package broker

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/token"
	"kdrill/node/wire"
)

// Requests about delegation tokens say who may have them by themselves: it depends on the owner that a request names.

// tokenAllowed refuses requests about tokens over connections that could be heard, or whose client has no name, and
// those of clients that have only a token themselves.
func (b *Broker) tokenAllowed(r *wire.Request) error {
	l, _ := b.listening.Load().Find(r.Conn.Listener)
	protocol := l.Protocol // none where the listener is gone
	if protocol == "" || r.Conn.ByToken || protocol == "PLAINTEXT" || protocol == "SSL" && r.Conn.Principal == wire.Anonymous {
		return kerr.DelegationTokenRequestNotAllowed
	}
	return nil
}

// tokensOn is tokenAllowed where it also has to be that there are tokens at all.
func (b *Broker) tokensOn(r *wire.Request) error {
	if err := b.tokenAllowed(r); err != nil {
		return err
	}
	if b.tokens == nil {
		return kerr.DelegationTokenAuthDisabled
	}
	return nil
}

// principalOf is who sent a request.
func principalOf(r *wire.Request) token.Principal {
	kind, name, _ := strings.Cut(r.Conn.Principal, ":")
	return token.Principal{Type: kind, Name: name}
}

// createToken serves CreateDelegationToken, versions 0 to 3.
func (b *Broker) createToken(ctx context.Context, r *wire.Request, req *kmsg.CreateDelegationTokenRequest) *kmsg.CreateDelegationTokenResponse {
	blank := token.Token{Requester: principalOf(r), Owner: principalOf(r)}
	if req.OwnerPrincipalName != nil && *req.OwnerPrincipalName != "" {
		blank.Owner.Name = *req.OwnerPrincipalName
		if req.OwnerPrincipalType != nil {
			blank.Owner.Type = *req.OwnerPrincipalType
		}
	}
	for _, renewer := range req.Renewers {
		blank.Renewers = append(blank.Renewers, token.Principal{Type: renewer.PrincipalType, Name: renewer.PrincipalName})
	}
	resp := req.ResponseKind().(*kmsg.CreateDelegationTokenResponse)
	resp.PrincipalType, resp.PrincipalName = blank.Owner.Type, blank.Owner.Name
	resp.TokenRequesterPrincipalType, resp.TokenRequesterPrincipalName = blank.Requester.Type, blank.Requester.Name
	made, err := b.makeToken(ctx, r, blank, req.MaxLifetimeMillis)
	if err != nil {
		resp.ErrorCode, resp.HMAC = codeOf(err), []byte{}
		resp.IssueTimestamp, resp.ExpiryTimestamp, resp.MaxTimestamp = -1, -1, -1
		return resp
	}
	resp.IssueTimestamp, resp.ExpiryTimestamp, resp.MaxTimestamp = made.Issued, made.Ends, made.Max
	resp.TokenID, resp.HMAC = made.ID, b.tokens.key.HMAC(made.ID)
	return resp
}

func (b *Broker) makeToken(ctx context.Context, r *wire.Request, blank token.Token, most int64) (token.Token, error) {
	notUser := func(p token.Principal) bool { return p.Type != token.User }
	switch {
	case b.tokenAllowed(r) != nil:
		return blank, b.tokenAllowed(r)
	case blank.Owner != blank.Requester && !b.asker(r).may(kmsg.ACLOperationCreateTokens, kmsg.ACLResourceTypeUser, blank.Owner.String()):
		return blank, kerr.DelegationTokenAuthorizationFailed
	case slices.ContainsFunc(blank.Renewers, notUser):
		return blank, kerr.InvalidPrincipalType
	case b.tokens == nil:
		return blank, kerr.DelegationTokenAuthDisabled
	}
	return b.tokens.Make(ctx, blank, most)
}

// renewToken serves RenewDelegationToken, versions 0 to 2.
func (b *Broker) renewToken(ctx context.Context, r *wire.Request, req *kmsg.RenewDelegationTokenRequest) *kmsg.RenewDelegationTokenResponse {
	resp := req.ResponseKind().(*kmsg.RenewDelegationTokenResponse)
	err := b.tokensOn(r)
	if err == nil {
		resp.ExpiryTimestamp, err = b.tokens.Renew(ctx, req.HMAC, principalOf(r), req.RenewTimeMillis)
	}
	if err != nil {
		resp.ErrorCode, resp.ExpiryTimestamp = codeOf(err), -1
	}
	return resp
}

// expireToken serves ExpireDelegationToken, versions 0 to 2.
func (b *Broker) expireToken(ctx context.Context, r *wire.Request, req *kmsg.ExpireDelegationTokenRequest) *kmsg.ExpireDelegationTokenResponse {
	resp := req.ResponseKind().(*kmsg.ExpireDelegationTokenResponse)
	err := b.tokensOn(r)
	if err == nil {
		resp.ExpiryTimestamp, err = b.tokens.Expire(ctx, req.HMAC, principalOf(r), req.ExpiryPeriodMillis)
	}
	if err != nil {
		resp.ErrorCode, resp.ExpiryTimestamp = codeOf(err), -1
	}
	return resp
}

// describeTokens serves DescribeDelegationToken, versions 0 to 3. Without a list of owners it is about all tokens; who has
// to do with a token sees it, and who may describe it or its owner's tokens.
func (b *Broker) describeTokens(_ context.Context, r *wire.Request, req *kmsg.DescribeDelegationTokenRequest) *kmsg.DescribeDelegationTokenResponse {
	resp := req.ResponseKind().(*kmsg.DescribeDelegationTokenResponse)
	if err := b.tokensOn(r); err != nil {
		resp.ErrorCode = codeOf(err)
		return resp
	}
	asks, who := b.asker(r).quiet(), principalOf(r)
	for _, t := range b.tokens.cache.All() {
		wanted := req.Owners == nil || slices.ContainsFunc(req.Owners, func(o kmsg.DescribeDelegationTokenRequestOwner) bool {
			return t.Concerns(token.Principal{Type: o.PrincipalType, Name: o.PrincipalName})
		})
		if wanted && (t.Concerns(who) || asks.may(toDescribe, kmsg.ACLResourceTypeDelegationToken, t.ID) ||
			asks.may(kmsg.ACLOperationDescribeTokens, kmsg.ACLResourceTypeUser, t.Owner.String())) {
			resp.TokenDetails = append(resp.TokenDetails, b.describeToken(t))
		}
	}
	return resp
}

func (b *Broker) describeToken(t token.Token) kmsg.DescribeDelegationTokenResponseTokenDetail {
	detail := kmsg.NewDescribeDelegationTokenResponseTokenDetail()
	detail.PrincipalType, detail.PrincipalName = t.Owner.Type, t.Owner.Name
	detail.TokenRequesterPrincipalType, detail.TokenRequesterPrincipalName = t.Requester.Type, t.Requester.Name
	detail.IssueTimestamp, detail.ExpiryTimestamp, detail.MaxTimestamp = t.Issued, t.Ends, t.Max
	detail.TokenID, detail.HMAC = t.ID, b.tokens.key.HMAC(t.ID)
	for _, r := range t.Renewers {
		detail.Renewers = append(detail.Renewers, kmsg.DescribeDelegationTokenResponseTokenDetailRenewer{PrincipalType: r.Type, PrincipalName: r.Name})
	}
	return detail
}
