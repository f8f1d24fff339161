package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// scramServer is the broker's side of one SCRAM conversation (RFC 5802), without channel binding. It is written here
// because it has to be as lenient as Kafka: librdkafka before 2.3 puts its nonce in front of the broker's once more.
type scramServer struct {
	mechanism string
	lookup    Lookup
	nonce     func() string // of the broker

	identity  Identity
	token     bool
	gs2       string // header of the client's first message
	bare      string // the rest of it
	first     string // the broker's first message
	fullNonce string
	done      bool
}

func newScramServer(mechanism string, lookup Lookup) *scramServer {
	return &scramServer{mechanism: mechanism, lookup: lookup, nonce: rand.Text}
}

// step takes a message of the client. done is set with the last answer.
func (s *scramServer) step(message string) (answer string, err error) {
	if s.first == "" {
		return s.begin(message)
	}
	return s.finish(message)
}

// begin takes the client's first message: flag, [a=id], n=user, r=nonce, perhaps tokenauth=true (KIP-48). With that the user
// is a token's id.
func (s *scramServer) begin(message string) (string, error) {
	flag, rest, ok1 := strings.Cut(message, ",")
	id, bare, ok2 := strings.Cut(rest, ",")
	fields := strings.Split(bare, ",")
	if !ok1 || !ok2 || len(fields) < 2 || flag != "n" && flag != "y" {
		return "", errors.New("the first message is not n,[a=id],n=user,r=nonce")
	}
	name, named := strings.CutPrefix(fields[0], "n=")
	clientNonce, given := strings.CutPrefix(fields[1], "r=")
	user, spelled := saslName(name)
	if !named || !given || !spelled || user == "" || clientNonce == "" {
		return "", errors.New("the first message is not n,[a=id],n=user,r=nonce")
	}
	if id != "" && id != "a="+name {
		return "", errors.New("the client asks for another's authorization id")
	}
	s.token = asToken(fields[2:])
	if s.identity, ok1 = s.lookup(s.mechanism, user, s.token); !ok1 {
		if s.token {
			return "", fmt.Errorf("there is no delegation token %q", user)
		}
		return "", fmt.Errorf("user %q has no credential", user)
	}
	c := s.identity.Credential
	s.gs2, s.bare = flag+","+id+",", bare
	s.fullNonce = clientNonce + s.nonce()
	s.first = fmt.Sprintf("r=%s,s=%s,i=%d", s.fullNonce, base64.StdEncoding.EncodeToString(c.Salt), c.Iterations)
	return s.first, nil
}

// asToken says whether a client's extensions say that it has a delegation token.
func asToken(extensions []string) bool {
	return slices.ContainsFunc(extensions, func(e string) bool {
		value, ok := strings.CutPrefix(e, "tokenauth=")
		return ok && strings.EqualFold(value, "true")
	})
}

// finish takes the client's last message: c=header, r=nonce, p=proof.
func (s *scramServer) finish(message string) (string, error) {
	withoutProof, proofText, ok := cutLast(message, ",p=")
	fields := strings.Split(withoutProof, ",")
	if !ok || len(fields) < 2 {
		return "", errors.New("the last message is not c=header,r=nonce,p=proof")
	}
	proof, err := base64.StdEncoding.DecodeString(proofText)
	size := hashOf(s.mechanism)().Size()
	switch {
	case err != nil || len(proof) != size:
		return "", errors.New("the last message has no proof")
	case fields[0] != "c="+base64.StdEncoding.EncodeToString([]byte(s.gs2)):
		return "", errors.New("the last message has another header than the first")
	case !strings.HasPrefix(fields[1], "r=") || !strings.HasSuffix(fields[1], s.fullNonce):
		return "", errors.New("the last message has another nonce")
	}
	signed := []byte(s.bare + "," + s.first + "," + withoutProof)
	signature := s.sign(s.identity.StoredKey, signed)
	for i := range proof {
		proof[i] ^= signature[i] // the client's key
	}
	stored := hashOf(s.mechanism)()
	stored.Write(proof)
	if !hmac.Equal(stored.Sum(nil), s.identity.StoredKey) {
		return "", fmt.Errorf("the password of user %q is wrong", s.identity.User)
	}
	s.done = true
	return "v=" + base64.StdEncoding.EncodeToString(s.sign(s.identity.ServerKey, signed)), nil
}

func (s *scramServer) sign(key, message []byte) []byte {
	mac := hmac.New(hashOf(s.mechanism), key)
	mac.Write(message)
	return mac.Sum(nil)
}

func cutLast(text, separator string) (before, after string, ok bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// saslName undoes the spelling of a user's name, in which "=2C" is a comma and "=3D" the equals sign.
func saslName(text string) (name string, ok bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "=")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		switch {
		case strings.HasPrefix(after, "2C"):
			b.WriteByte(',')
		case strings.HasPrefix(after, "3D"):
			b.WriteByte('=')
		default:
			return "", false
		}
		text = after[2:]
	}
}
