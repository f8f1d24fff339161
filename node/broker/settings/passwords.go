package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrNoSecret is the error of who sets a password that ZooKeeper would have to keep as it is.
var ErrNoSecret = errors.New("ZooKeeper keeps passwords only encoded: set password.encoder.secret in server.properties and restart the broker, or use PEM files without a password")

// isPassword says whether ZooKeeper keeps a property of a broker only encoded.
func (v Values) isPassword(name string) bool {
	d, known := v.FindDynamic(name)
	return known && d.Type == kmsg.ConfigTypePassword && (v.Dynamic(name) || strings.HasPrefix(name, ownPrefix))
}

// encodePassword is a password as ZooKeeper keeps it.
func (v Values) encodePassword(password string) (string, error) {
	secret := v.Text("password.encoder.secret")
	if secret == "" {
		return "", ErrNoSecret
	}
	e := encoding{
		keyFactory: v.Text("password.encoder.keyfactory.algorithm"), cipher: v.Text("password.encoder.cipher.algorithm"),
		keyLength: int(v.Int("password.encoder.key.length")), iterations: int(v.Int("password.encoder.iterations")),
	}
	if e.keyFactory == "" {
		e.keyFactory = "PBKDF2WithHmacSHA512"
	}
	return e.encode(secret, password)
}

// decodePassword is the inverse of encodePassword.
func (v Values) decodePassword(text string) (string, error) {
	secret := v.Text("password.encoder.secret")
	if secret == "" {
		return "", ErrNoSecret
	}
	return decode(secret, text)
}

// Open decodes the passwords among what /config/brokers/<id> sets. Those that cannot be decoded are left out, as Kafka does.
func (v Values) Open(stored map[string]string) (plain map[string]string, wrong []error) {
	plain = maps.Clone(stored)
	for _, name := range slices.Sorted(maps.Keys(stored)) {
		if !v.isPassword(name) {
			continue
		}
		password, err := v.decodePassword(stored[name])
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s cannot be decoded: %w", name, err))
			delete(plain, name)
			continue
		}
		plain[name] = password
	}
	return plain, wrong
}

// Seal tells apart what next means and how ZooKeeper keeps it. Passwords in next are encoded where they are as in now, else
// plain.
func (v Values) Seal(now, next map[string]string) (plain, stored map[string]string, err error) {
	same, stored := maps.Clone(next), maps.Clone(next)
	maps.DeleteFunc(same, func(name, value string) bool { before, had := now[name]; return !had || before != value })
	plain, _ = v.Open(same)
	for name, value := range next {
		if _, ok := same[name]; ok {
			continue
		}
		plain[name] = value
		if !v.isPassword(name) {
			continue
		}
		if stored[name], err = v.encodePassword(value); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return plain, stored, nil
}

// Reseal encodes passwords anew that password.encoder.old.secret opens. changed is whether there were any.
func (v Values) Reseal(stored map[string]string) (next map[string]string, changed bool, err error) {
	old := v.Text("password.encoder.old.secret")
	next = maps.Clone(stored)
	for name, text := range stored {
		if old == "" || !v.isPassword(name) {
			continue
		}
		if _, err := v.decodePassword(text); err == nil {
			continue
		}
		password, err := decode(old, text)
		if err != nil {
			continue // [Values.Open] tells of it
		}
		if next[name], err = v.encodePassword(password); err != nil {
			return nil, false, fmt.Errorf("%s: %w", name, err)
		}
		changed = true
	}
	return next, changed, nil
}
