// Package themes says how the console looks: a palette gives every role of text a style.
//
// Whoever draws asks a [Theme] for the style of a [Role]; no other package names a colour. [New] picks the palette for
// a dark or a light background, or one without colours. On, Selected and Panel give the same roles on another surface,
// so that pieces of text are painted once each and never nested.
//
// A Theme is immutable and safe to share.
package themes
