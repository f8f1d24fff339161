package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"time"
)

// Credential is what is kept of a password for SCRAM (RFC 5802). It does not tell the password.
type Credential struct {
	Salt, StoredKey, ServerKey []byte
	Iterations                 int
}

// Identity is who proves to be somebody by a credential.
type Identity struct {
	Credential
	User    string    // the name of the principal
	Expires time.Time // of a delegation token; zero: never
}

// Lookup finds who a name of SCRAM stands for: a user's, or that of a delegation token.
type Lookup func(mechanism, name string, token bool) (Identity, bool)

// Iterations of SCRAM that are allowed for new credentials.
const (
	MinIterations = 4096
	MaxIterations = 16384
)

func hashOf(mechanism string) func() hash.Hash {
	if mechanism == ScramSHA512 {
		return sha512.New
	}
	return sha256.New
}

// NewCredential derives a credential from a salted password, which is the size of the mechanism's hash.
func NewCredential(mechanism string, salt, salted []byte, iterations int) Credential {
	h := hashOf(mechanism)
	sum := func(text string) []byte {
		mac := hmac.New(h, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := h()
	stored.Write(sum("Client Key"))
	return Credential{Salt: salt, StoredKey: stored.Sum(nil), ServerKey: sum("Server Key"), Iterations: iterations}
}

// CredentialOf derives a credential from a password, with a salt of its own.
func CredentialOf(mechanism, password string, iterations int) Credential {
	salt := []byte(rand.Text())
	salted, err := pbkdf2.Key(hashOf(mechanism), password, salt, iterations, hashOf(mechanism)().Size())
	if err != nil {
		panic(err) // only key lengths that FIPS 140 forbids
	}
	return NewCredential(mechanism, salt, salted, iterations)
}

// String is the form in ZooKeeper.
func (c Credential) String() string {
	e := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("salt=%s,stored_key=%s,server_key=%s,iterations=%d", e(c.Salt), e(c.StoredKey), e(c.ServerKey), c.Iterations)
}

// ParseCredential reads the form in ZooKeeper. Its errors do not quote it.
func ParseCredential(text string) (c Credential, err error) {
	found := map[string]string{}
	for item := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(item, "=")
		if !ok {
			return c, fmt.Errorf("a SCRAM credential is name=value pairs")
		}
		found[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	for name, to := range map[string]*[]byte{"salt": &c.Salt, "stored_key": &c.StoredKey, "server_key": &c.ServerKey} {
		if *to, err = base64.StdEncoding.DecodeString(found[name]); err != nil || len(*to) == 0 {
			return Credential{}, fmt.Errorf("%s of a SCRAM credential is not base64", name)
		}
	}
	if c.Iterations, err = strconv.Atoi(found["iterations"]); err != nil || c.Iterations < 1 {
		return Credential{}, fmt.Errorf("iterations of a SCRAM credential is no positive number")
	}
	return c, nil
}
