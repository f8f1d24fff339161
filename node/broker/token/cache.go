package token

import (
	"sync"
	"time"

	"kdrill/node/broker/auth"
)

// Cache is all tokens that a broker knows.
type Cache struct {
	key Key

	mu     sync.Mutex
	tokens map[string]*known // by id
	byHMAC map[string]string // ids
}

// known is a token with what clients prove. Credentials take milliseconds to derive, so only those that are asked for are,
// once.
type known struct {
	Token
	credentials map[string]func() auth.Credential // by mechanism
}

// NewCache returns a cache without tokens.
func NewCache(key Key) *Cache {
	return &Cache{key: key, tokens: map[string]*known{}, byHMAC: map[string]string{}}
}

// Put takes in a token, new or changed.
func (c *Cache) Put(t Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before := c.tokens[t.ID]; before != nil { // the secret stays the same
		c.tokens[t.ID] = &known{t, before.credentials}
		return
	}
	k := &known{t, map[string]func() auth.Credential{}}
	for _, mechanism := range []string{auth.ScramSHA256, auth.ScramSHA512} {
		k.credentials[mechanism] = sync.OnceValue(func() auth.Credential {
			return auth.CredentialOf(mechanism, c.key.Password(t.ID), auth.MinIterations)
		})
	}
	c.tokens[t.ID] = k
	c.byHMAC[string(c.key.HMAC(t.ID))] = t.ID
}

// Remove forgets a token.
func (c *Cache) Remove(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tokens, id)
	delete(c.byHMAC, string(c.key.HMAC(id)))
}

// Find returns the token with a secret.
func (c *Cache) Find(hmac []byte) (Token, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.tokens[c.byHMAC[string(hmac)]]
	if k == nil {
		return Token{}, false
	}
	return k.Token, true
}

// All returns every token, in no order.
func (c *Cache) All() (all []Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.tokens {
		all = append(all, k.Token)
	}
	return all
}

// Identity is whom a token stands for, and what proves it by a mechanism.
func (c *Cache) Identity(mechanism, id string) (auth.Identity, bool) {
	c.mu.Lock()
	k := c.tokens[id]
	c.mu.Unlock()
	if k == nil || k.credentials[mechanism] == nil {
		return auth.Identity{}, false
	}
	return auth.Identity{Credential: k.credentials[mechanism](), User: k.Owner.Name, Expires: time.UnixMilli(k.Ends)}, true
}
