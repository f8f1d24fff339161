package layout

import (
	"net/url"
	"strings"
)

// DefaultEntity is the name under /config that stands for all entities without a configuration of their own.
const DefaultEntity = "<default>"

// Sanitize makes a znode's name of a user or client id.
func Sanitize(name string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "~", "%7E").Replace(url.QueryEscape(name))
}

// Unsanitize is the inverse of [Sanitize].
func Unsanitize(name string) (string, error) { return url.PathUnescape(name) }
