// Package token is delegation tokens: names with a secret that stand for a user for a while, without the user's password.
//
// [Key] makes tokens and decides who may prolong or end them; these are pure functions of a [Token], the asker and the
// time. [Cache] holds the tokens that a broker knows, finds them by id and by their secret, and derives the credentials
// that clients prove by SCRAM. A secret is not kept anywhere: it is the HMAC of the token's id with the key that all
// brokers have (delegation.token.secret.key). Where tokens are kept, and how brokers tell each other, is the broker's.
//
// A Cache is safe for use by many goroutines. Everything else is values.
//
// Source: KIP-48, KIP-373.
package token
