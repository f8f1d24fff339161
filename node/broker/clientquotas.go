package broker

import (
	"context"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/quota"
	"kdrill/node/layout"
)

// Types of entities that have quotas.
const (
	ofUser   = "user"
	ofClient = "client-id"
	ofIP     = "ip"
)

// quotaEntity is whose quotas they are: names by type. A name that is nil is the default.
type quotaEntity map[string]*string

// path is the entity's path below /config.
func (e quotaEntity) path() (string, error) {
	name := func(kind string) string {
		if e[kind] == nil {
			return layout.DefaultEntity
		}
		return layout.Sanitize(*e[kind])
	}
	_, user := e[ofUser]
	_, client := e[ofClient]
	_, ip := e[ofIP]
	for kind, n := range e {
		if kind != ofUser && kind != ofClient && kind != ofIP {
			return "", refuse(kerr.InvalidRequest, "entities are of type user, client-id or ip, not %q", kind)
		}
		if n != nil && *n == "" {
			return "", refuse(kerr.InvalidRequest, "the name of a %s cannot be empty", kind)
		}
	}
	switch {
	case ip && (user || client):
		return "", refuse(kerr.InvalidRequest, "an ip has no user or client-id")
	case ip && e[ofIP] == nil:
		return "ips/" + layout.DefaultEntity, nil
	case ip && net.ParseIP(*e[ofIP]) == nil:
		return "", refuse(kerr.InvalidRequest, "%q is no address", *e[ofIP])
	case ip:
		return "ips/" + *e[ofIP], nil
	case user && client:
		return "users/" + name(ofUser) + "/clients/" + name(ofClient), nil
	case user:
		return "users/" + name(ofUser), nil
	case client:
		return "clients/" + name(ofClient), nil
	}
	return "", refuse(kerr.InvalidRequest, "no entity is named")
}

// entityOf is the inverse of path.
func entityOf(path string) (quotaEntity, bool) {
	parts := strings.Split(path, "/")
	name := func(i int) *string {
		if parts[i] == layout.DefaultEntity {
			return nil
		}
		text, err := layout.Unsanitize(parts[i])
		if err != nil {
			text = parts[i]
		}
		return &text
	}
	switch {
	case len(parts) == 2 && parts[0] == "users":
		return quotaEntity{ofUser: name(1)}, true
	case len(parts) == 2 && parts[0] == "clients":
		return quotaEntity{ofClient: name(1)}, true
	case len(parts) == 2 && parts[0] == "ips":
		return quotaEntity{ofIP: name(1)}, true
	case len(parts) == 4 && parts[0] == "users" && parts[2] == "clients":
		return quotaEntity{ofUser: name(1), ofClient: name(3)}, true
	}
	return nil, false
}

// alterQuotas serves AlterClientQuotas, versions 0 and 1.
func (b *Broker) alterQuotas(ctx context.Context, req *kmsg.AlterClientQuotasRequest) *kmsg.AlterClientQuotasResponse {
	resp := req.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	for _, entry := range req.Entries {
		answer := kmsg.NewAlterClientQuotasResponseEntry()
		e := quotaEntity{}
		for _, part := range entry.Entity {
			answer.Entity = append(answer.Entity, kmsg.AlterClientQuotasResponseEntryEntity{Type: part.Type, Name: part.Name})
			e[part.Type] = part.Name
		}
		err := b.alterQuota(ctx, e, entry.Ops, req.ValidateOnly)
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), textOf(err)
		resp.Entries = append(resp.Entries, answer)
	}
	return resp
}

func (b *Broker) alterQuota(ctx context.Context, e quotaEntity, ops []kmsg.AlterClientQuotasRequestEntryOp, validateOnly bool) error {
	path, err := e.path()
	if err != nil {
		return err
	}
	_, ip := e[ofIP]
	values := map[string]string{} // "" removes
	for _, op := range ops {
		if values[op.Key], err = quotaValue(op, ip); err != nil {
			return err
		}
	}
	if validateOnly {
		return nil
	}
	err = b.entities.Change(ctx, path, func(config map[string]string) error {
		for key, value := range values {
			if value == "" {
				delete(config, key)
			} else {
				config[key] = value
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := b.entities.refresh(ctx, path); err != nil {
		return err
	}
	b.limitsChanged()
	return nil
}

// quotaValue is an operation's value as it is kept.
func quotaValue(op kmsg.AlterClientQuotasRequestEntryOp, ip bool) (string, error) {
	kind, known := quota.Named(op.Key)
	switch {
	case !known || (kind == quota.Connections) != ip:
		return "", refuse(kerr.InvalidRequest, "%s is no quota of this kind of entity", op.Key)
	case op.Remove:
		return "", nil
	case math.IsNaN(op.Value) || math.IsInf(op.Value, 0) || op.Value < 0:
		return "", refuse(kerr.InvalidRequest, "%s: %v is no rate", op.Key, op.Value)
	case kind.Whole() && math.Abs(op.Value-math.Round(op.Value)) > 1e-6:
		return "", refuse(kerr.InvalidRequest, "%s: %v is not a whole number", op.Key, op.Value)
	case kind.Whole():
		return strconv.FormatInt(int64(math.Round(op.Value)), 10), nil
	}
	text := strconv.FormatFloat(op.Value, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text, nil
}

// describeQuotas serves DescribeClientQuotas, versions 0 and 1.
func (b *Broker) describeQuotas(_ context.Context, req *kmsg.DescribeClientQuotasRequest) *kmsg.DescribeClientQuotasResponse {
	resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	if err := checkComponents(req.Components); err != nil {
		resp.ErrorCode, resp.ErrorMessage = codeOf(err), textOf(err)
		return resp
	}
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{} // nil is for errors only
	for path, config := range b.entities.All() {
		e, ok := entityOf(path)
		if !ok || !e.matches(req.Components, req.Strict) {
			continue
		}
		entry := kmsg.NewDescribeClientQuotasResponseEntry()
		for key, text := range config {
			if _, known := quota.Named(key); !known {
				continue
			}
			if value, err := strconv.ParseFloat(text, 64); err == nil {
				entry.Values = append(entry.Values, kmsg.DescribeClientQuotasResponseEntryValue{Key: key, Value: value})
			}
		}
		if len(entry.Values) == 0 {
			continue
		}
		for _, kind := range []string{ofUser, ofClient, ofIP} {
			if name, ok := e[kind]; ok {
				entry.Entity = append(entry.Entity, kmsg.DescribeClientQuotasResponseEntryEntity{Type: kind, Name: name})
			}
		}
		slices.SortFunc(entry.Values, func(a, b kmsg.DescribeClientQuotasResponseEntryValue) int { return strings.Compare(a.Key, b.Key) })
		resp.Entries = append(resp.Entries, entry)
	}
	return resp
}

// How a component of a filter matches.
const (
	matchExact   = 0
	matchDefault = 1
	matchAny     = 2
)

func checkComponents(components []kmsg.DescribeClientQuotasRequestComponent) error {
	seen := map[string]bool{}
	for _, c := range components {
		switch {
		case c.EntityType != ofUser && c.EntityType != ofClient && c.EntityType != ofIP:
			return refuse(kerr.UnsupportedVersion, "entities are of type user, client-id or ip, not %q", c.EntityType)
		case seen[c.EntityType]:
			return refuse(kerr.InvalidRequest, "%s is there more than once", c.EntityType)
		case c.MatchType < matchExact || c.MatchType > matchAny || c.MatchType == matchExact && c.Match == nil:
			return refuse(kerr.InvalidRequest, "%s is matched in no way that is known", c.EntityType)
		}
		seen[c.EntityType] = true
	}
	if seen[ofIP] && len(seen) > 1 {
		return refuse(kerr.InvalidRequest, "an ip has no user or client-id")
	}
	return nil
}

// matches says whether a filter selects an entity; a strict one wants no other types than its own.
func (e quotaEntity) matches(components []kmsg.DescribeClientQuotasRequestComponent, strict bool) bool {
	for _, c := range components {
		name, ok := e[c.EntityType]
		switch {
		case !ok,
			c.MatchType == matchExact && (name == nil || *name != *c.Match),
			c.MatchType == matchDefault && name != nil:
			return false
		}
	}
	return !strict || len(e) == len(components)
}
