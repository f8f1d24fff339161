// Package certs reads the key stores and trust stores that Java's programs are configured with: PKCS12, Java's own JKS, or
// PEM. What a file is shows in its content, as for Java, whatever its name or a setting says.
//
// It holds pure functions. Their errors name no setting, since each program has names of its own, and repeat no secret:
// [ErrStorePassword], [ErrKeyPassword] and [ErrKeyEncrypted] are for callers that can say which setting is meant.
package certs
