package broker

import (
	"context"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/authorizer"
	"kdrill/node/wire"
)

// With an authorizer, a guard stands before the handler of each key. It takes out of the request what its sender may
// not do, hands on the rest, and puts the refusals into the answer. Without an authorizer there are no guards.

// asker is who sent a request, and by which rules it is judged.
type asker struct {
	rules *authorizer.Rules // nil: everything is allowed
	who   authorizer.Who
	log   *slog.Logger // of refusals; nil where they only shorten a list
}

func (b *Broker) asker(r *wire.Request) asker {
	if b.acls == nil {
		return asker{}
	}
	return asker{b.acls.rules.Load(), authorizer.Who{Principal: r.Conn.Principal, Host: r.Conn.Host()}, b.log}
}

// quiet is the asker when it is no refusal that something is not allowed.
func (a asker) quiet() asker {
	a.log = nil
	return a
}

func (a asker) may(op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) bool {
	allowed := a.rules == nil || a.rules.Allowed(a.who, op, kind, name)
	if !allowed && a.log != nil {
		a.log.Info("denied", "principal", a.who.Principal, "host", a.who.Host, "operation", op, "resource", kind.String()+":"+name)
	}
	return allowed
}

func (a asker) topic(op kmsg.ACLOperation, name string) bool {
	return a.may(op, kmsg.ACLResourceTypeTopic, name)
}

func (a asker) group(op kmsg.ACLOperation, name string) bool {
	return a.may(op, kmsg.ACLResourceTypeGroup, name)
}

func (a asker) transaction(op kmsg.ACLOperation, id string) bool {
	return a.may(op, kmsg.ACLResourceTypeTransactionalId, id)
}

func (a asker) cluster(op kmsg.ACLOperation) bool {
	return a.may(op, kmsg.ACLResourceTypeCluster, authorizer.ClusterName)
}

// clusterOperations are the asker's authorized operations on the cluster; only who may describe it learns them.
func (a asker) clusterOperations() int32 {
	if !a.quiet().cluster(kmsg.ACLOperationDescribe) {
		return 0
	}
	return a.rules.Operations(a.who, kmsg.ACLResourceTypeCluster, authorizer.ClusterName)
}

func (a asker) topicOperations(name string) int32 {
	return a.rules.Operations(a.who, kmsg.ACLResourceTypeTopic, name)
}

func (a asker) groupOperations(name string) int32 {
	return a.rules.Operations(a.who, kmsg.ACLResourceTypeGroup, name)
}

// Shorter names of operations.
const (
	toRead            = kmsg.ACLOperationRead
	toWrite           = kmsg.ACLOperationWrite
	toCreate          = kmsg.ACLOperationCreate
	toDelete          = kmsg.ACLOperationDelete
	toAlter           = kmsg.ACLOperationAlter
	toDescribe        = kmsg.ACLOperationDescribe
	toActForCluster   = kmsg.ACLOperationClusterAction
	toDescribeConfigs = kmsg.ACLOperationDescribeConfigs
	toAlterConfigs    = kmsg.ACLOperationAlterConfigs
	toWriteIdempotent = kmsg.ACLOperationIdempotentWrite
)

// Codes of refusals.
var (
	topicDenied       = kerr.TopicAuthorizationFailed.Code
	groupDenied       = kerr.GroupAuthorizationFailed.Code
	clusterDenied     = kerr.ClusterAuthorizationFailed.Code
	transactionDenied = kerr.TransactionalIDAuthorizationFailed.Code
)

// guard makes a handler of a rule and the handler behind it. The rule calls serve for what is allowed.
type guard func(b *Broker, next handler) handler

// guarded makes a guard of a rule that takes requests of its own type.
func guarded[Q kmsg.Request, R kmsg.Response](rule func(a asker, req Q, serve func() R) R) guard {
	return func(b *Broker, next handler) handler {
		return func(ctx context.Context, r *wire.Request) kmsg.Response {
			return rule(b.asker(r), r.Body.(Q), func() R { return next(ctx, r).(R) })
		}
	}
}

// protect puts the guards before the handlers.
func (b *Broker) protect(routes map[int16]handler) {
	if b.acls == nil {
		return
	}
	for _, guards := range []map[int16]guard{clusterGuards(), topicGuards(), groupGuards(), transactionGuards()} {
		for key, g := range guards {
			if next := routes[key]; next != nil {
				routes[key] = g(b, next)
			}
		}
	}
}

// split sorts a list by whether each item is allowed. What is allowed is never nil: in requests that means all.
func split[T any](all []T, allowed func(*T) bool) (yes, no []T) {
	yes = make([]T, 0, len(all))
	for i := range all {
		if allowed(&all[i]) {
			yes = append(yes, all[i])
		} else {
			no = append(no, all[i])
		}
	}
	return yes, no
}

// answerOf makes an empty response to a request.
func answerOf[R kmsg.Response](req kmsg.Request) R { return req.ResponseKind().(R) }
