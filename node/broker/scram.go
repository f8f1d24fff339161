package broker

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/auth"
	"kdrill/node/layout"
)

// SCRAM's credentials are configurations of users.

// mechanismNumbers are how requests name SCRAM's mechanisms.
var mechanismNumbers = map[int8]string{1: auth.ScramSHA256, 2: auth.ScramSHA512}

// identity looks up who a name of SCRAM stands for.
func (b *Broker) identity(mechanism, name string, byToken bool) (auth.Identity, bool) {
	if !byToken {
		c, ok := b.credential(mechanism, name)
		return auth.Identity{Credential: c, User: name}, ok
	}
	if b.tokens == nil {
		return auth.Identity{}, false
	}
	return b.tokens.cache.Identity(mechanism, name)
}

// credential looks up a user's credential.
func (b *Broker) credential(mechanism, user string) (auth.Credential, bool) {
	text, ok := b.entities.Value("users/"+layout.Sanitize(user), mechanism)
	if !ok {
		return auth.Credential{}, false
	}
	c, err := auth.ParseCredential(text)
	if err != nil {
		b.log.Warn("credential cannot be used: set the user's password again", "user", user, "mechanism", mechanism, "err", err)
		return auth.Credential{}, false
	}
	return c, true
}

// describeScram serves DescribeUserScramCredentials, version 0.
func (b *Broker) describeScram(_ context.Context, req *kmsg.DescribeUserSCRAMCredentialsRequest) *kmsg.DescribeUserSCRAMCredentialsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	count := map[string]int{}
	for _, u := range req.Users {
		count[u.Name]++
	}
	if len(req.Users) == 0 {
		for path := range b.entities.All() {
			name, ok := strings.CutPrefix(path, "users/")
			if user, err := layout.Unsanitize(name); ok && err == nil && name != layout.DefaultEntity && !strings.Contains(name, "/") && len(b.scramInfos(user)) > 0 {
				count[user] = 1
			}
		}
	}
	for _, user := range slices.Sorted(maps.Keys(count)) {
		result := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
		result.User, result.CredentialInfos = user, b.scramInfos(user)
		var err error
		switch {
		case count[user] > 1:
			err, result.CredentialInfos = refuse(kerr.DuplicateResource, "user %s is there more than once", user), nil
		case len(result.CredentialInfos) == 0:
			err = refuse(kerr.ResourceNotFound, "user %s has no credential", user)
		}
		result.ErrorCode, result.ErrorMessage = codeOf(err), textOf(err)
		resp.Results = append(resp.Results, result)
	}
	return resp
}

func (b *Broker) scramInfos(user string) (infos []kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo) {
	for _, number := range slices.Sorted(maps.Keys(mechanismNumbers)) {
		if c, ok := b.credential(mechanismNumbers[number], user); ok {
			info := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
			info.Mechanism, info.Iterations = number, int32(c.Iterations)
			infos = append(infos, info)
		}
	}
	return infos
}

// scramChange is what becomes of one user's credentials.
type scramChange struct {
	set     map[string]string // by mechanism
	deleted []string          // mechanisms
	err     error
}

// alterScram serves AlterUserScramCredentials, version 0: on the controller. A user's changes are made all or none.
func (b *Broker) alterScram(ctx context.Context, req *kmsg.AlterUserSCRAMCredentialsRequest) *kmsg.AlterUserSCRAMCredentialsResponse {
	resp := req.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	changes := scramChanges(req)
	for _, user := range slices.Sorted(maps.Keys(changes)) {
		result := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		result.User = user
		err := changes[user].err
		if !b.controller.Active() {
			err = kerr.NotController
		}
		if err == nil {
			path := "users/" + layout.Sanitize(user)
			if err = b.entities.Change(ctx, path, changes[user].apply); err == nil {
				err = b.entities.refresh(ctx, path) // others learn it by the notification
			}
		}
		result.ErrorCode, result.ErrorMessage = codeOf(err), textOf(err)
		resp.Results = append(resp.Results, result)
	}
	return resp
}

func (c *scramChange) apply(config map[string]string) error {
	for _, mechanism := range c.deleted {
		if _, ok := config[mechanism]; !ok {
			return refuse(kerr.ResourceNotFound, "there is no credential of %s to delete", mechanism)
		}
		delete(config, mechanism)
	}
	maps.Copy(config, c.set)
	return nil
}

// scramChanges sorts a request by user and says what is wrong with it.
func scramChanges(req *kmsg.AlterUserSCRAMCredentialsRequest) map[string]*scramChange {
	changes := map[string]*scramChange{}
	of := func(user string, number int8) (*scramChange, string) {
		c := changes[user]
		if c == nil {
			c = &scramChange{set: map[string]string{}}
			changes[user] = c
		}
		mechanism, known := mechanismNumbers[number]
		switch {
		case c.err != nil:
		case user == "":
			c.err = refuse(kerr.UnacceptableCredential, "a user's name cannot be empty")
		case !known:
			c.err = refuse(kerr.UnsupportedSaslMechanism, "SCRAM mechanism %d is not known", number)
		case c.set[mechanism] != "" || slices.Contains(c.deleted, mechanism):
			c.err = refuse(kerr.DuplicateResource, "%s of user %s is there more than once", mechanism, user)
		}
		return c, mechanism
	}
	for _, d := range req.Deletions {
		if c, mechanism := of(d.Name, d.Mechanism); c.err == nil {
			c.deleted = append(c.deleted, mechanism)
		}
	}
	for _, u := range req.Upsertions {
		c, mechanism := of(u.Name, u.Mechanism)
		switch {
		case c.err != nil:
		case u.Iterations < auth.MinIterations || u.Iterations > auth.MaxIterations:
			c.err = refuse(kerr.UnacceptableCredential, "%d iterations: must be %d to %d", u.Iterations, auth.MinIterations, auth.MaxIterations)
		case len(u.Salt) == 0 || len(u.SaltedPassword) == 0:
			c.err = refuse(kerr.UnacceptableCredential, "salt and salted password cannot be empty")
		default:
			c.set[mechanism] = auth.NewCredential(mechanism, u.Salt, u.SaltedPassword, int(u.Iterations)).String()
		}
	}
	return changes
}
