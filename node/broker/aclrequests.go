package broker

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/authorizer"
	"kdrill/node/broker/settings"
)

var errNoAuthorizer = refuse(kerr.SecurityDisabled, "no authorizer is configured: set authorizer.class.name=%s", settings.ACLAuthorizer)

// createACLs serves CreateAcls, versions 0 to 3.
func (b *Broker) createACLs(ctx context.Context, req *kmsg.CreateACLsRequest) *kmsg.CreateACLsResponse {
	resp := req.ResponseKind().(*kmsg.CreateACLsResponse)
	errs := make([]error, len(req.Creations))
	byResource := map[authorizer.Resource][]int{}
	for i, c := range req.Creations {
		on := authorizer.Resource{Type: c.ResourceType, Name: c.ResourceName, Pattern: c.ResourcePatternType}
		if errs[i] = b.checkACL(on, c); errs[i] == nil {
			byResource[on] = append(byResource[on], i)
		}
	}
	for on, indexes := range byResource {
		err := b.acls.Change(ctx, on, func(entries []authorizer.Entry) []authorizer.Entry {
			entries = slices.Clone(entries)
			for _, i := range indexes {
				c := req.Creations[i]
				if e := (authorizer.Entry{Principal: c.Principal, Host: c.Host, Operation: c.Operation, Permission: c.PermissionType}); !slices.Contains(entries, e) {
					entries = append(entries, e)
				}
			}
			return entries
		})
		for _, i := range indexes {
			errs[i] = err
		}
	}
	for _, err := range errs {
		result := kmsg.NewCreateACLsResponseResult()
		result.ErrorCode, result.ErrorMessage = codeOf(err), textOf(err)
		resp.Results = append(resp.Results, result)
	}
	return resp
}

// checkACL says what is wrong with an entry to be added.
func (b *Broker) checkACL(on authorizer.Resource, c kmsg.CreateACLsRequestCreation) error {
	kind, _, named := strings.Cut(c.Principal, ":")
	switch {
	case b.acls == nil:
		return errNoAuthorizer
	case on.Type <= kmsg.ACLResourceTypeAny || on.Type > kmsg.ACLResourceTypeUser:
		return refuse(kerr.InvalidRequest, "lists are of topics, groups, the cluster, transactional ids, delegation tokens and users")
	case on.Pattern != kmsg.ACLResourcePatternTypeLiteral && on.Pattern != kmsg.ACLResourcePatternTypePrefixed:
		return refuse(kerr.InvalidRequest, "the pattern of a list is literal or prefixed")
	case on.Name == "":
		return refuse(kerr.InvalidRequest, "the name of a resource cannot be empty")
	case on.Type == kmsg.ACLResourceTypeCluster && on.Name != authorizer.ClusterName:
		return refuse(kerr.InvalidRequest, "the only resource of type cluster is %s", authorizer.ClusterName)
	case strings.ContainsAny(on.Name, "/\x00") || on.Name == "." || on.Name == "..":
		return refuse(kerr.InvalidRequest, "%q cannot be the name of a znode", on.Name)
	case c.Operation <= kmsg.ACLOperationAny || c.Operation > kmsg.ACLOperationDescribeTokens:
		return refuse(kerr.InvalidRequest, "operation %d is not known", c.Operation)
	case c.PermissionType != kmsg.ACLPermissionTypeAllow && c.PermissionType != kmsg.ACLPermissionTypeDeny:
		return refuse(kerr.InvalidRequest, "a permission is allow or deny")
	case !named || kind == "" || c.Host == "":
		return refuse(kerr.InvalidRequest, "an entry needs a principal such as User:alice, and a host or *")
	}
	return nil
}

// describeACLs serves DescribeAcls, versions 0 to 3.
func (b *Broker) describeACLs(_ context.Context, req *kmsg.DescribeACLsRequest) *kmsg.DescribeACLsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
	f := authorizer.Filter{
		Type: req.ResourceType, Name: req.ResourceName, Pattern: req.ResourcePatternType,
		Principal: req.Principal, Host: req.Host, Operation: req.Operation, Permission: req.PermissionType,
	}
	if err := b.checkFilter(f); err != nil {
		resp.ErrorCode, resp.ErrorMessage = codeOf(err), textOf(err)
		return resp
	}
	for _, l := range b.acls.rules.Load().Select(f) {
		if req.Version == 0 && l.Pattern != kmsg.ACLResourcePatternTypeLiteral {
			continue // it has no field for that
		}
		resource := kmsg.NewDescribeACLsResponseResource()
		resource.ResourceType, resource.ResourceName, resource.ResourcePatternType = l.Type, l.Name, l.Pattern
		for _, e := range l.Entries {
			a := kmsg.NewDescribeACLsResponseResourceACL()
			a.Principal, a.Host, a.Operation, a.PermissionType = e.Principal, e.Host, e.Operation, e.Permission
			resource.ACLs = append(resource.ACLs, a)
		}
		resp.Resources = append(resp.Resources, resource)
	}
	return resp
}

func (b *Broker) checkFilter(f authorizer.Filter) error {
	switch {
	case b.acls == nil:
		return errNoAuthorizer
	case !f.Valid():
		return refuse(kerr.InvalidRequest, "the filter has a type, pattern, operation or permission that is not known")
	}
	return nil
}

// deleteACLs serves DeleteAcls, versions 0 to 3.
func (b *Broker) deleteACLs(ctx context.Context, req *kmsg.DeleteACLsRequest) *kmsg.DeleteACLsResponse {
	resp := req.ResponseKind().(*kmsg.DeleteACLsResponse)
	for _, q := range req.Filters {
		f := authorizer.Filter{
			Type: q.ResourceType, Name: q.ResourceName, Pattern: q.ResourcePatternType,
			Principal: q.Principal, Host: q.Host, Operation: q.Operation, Permission: q.PermissionType,
		}
		result := kmsg.NewDeleteACLsResponseResult()
		err := b.checkFilter(f)
		result.ErrorCode, result.ErrorMessage = codeOf(err), textOf(err)
		if err == nil {
			for _, l := range b.acls.rules.Load().Select(f) {
				result.MatchingACLs = append(result.MatchingACLs, b.deleteFrom(ctx, l.Resource, f)...)
			}
		}
		resp.Results = append(resp.Results, result)
	}
	return resp
}

// deleteFrom removes what a filter selects from one list, as it stands in ZooKeeper now.
func (b *Broker) deleteFrom(ctx context.Context, on authorizer.Resource, f authorizer.Filter) (deleted []kmsg.DeleteACLsResponseResultMatchingACL) {
	var gone []authorizer.Entry
	err := b.acls.Change(ctx, on, func(entries []authorizer.Entry) (kept []authorizer.Entry) {
		gone = nil
		for _, e := range entries {
			if f.Matches(on, e) {
				gone = append(gone, e)
			} else {
				kept = append(kept, e)
			}
		}
		return kept
	})
	for _, e := range gone {
		m := kmsg.NewDeleteACLsResponseResultMatchingACL()
		m.ResourceType, m.ResourceName, m.ResourcePatternType = on.Type, on.Name, on.Pattern
		m.Principal, m.Host, m.Operation, m.PermissionType = e.Principal, e.Host, e.Operation, e.Permission
		m.ErrorCode, m.ErrorMessage = codeOf(err), textOf(err)
		deleted = append(deleted, m)
	}
	return deleted
}
