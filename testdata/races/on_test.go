//go:build race

package races

const enabled = true
