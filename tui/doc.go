// Package tui is the console: a terminal program that shows a cluster and operates it.
//
// Snapshots, statuses and events come up through the channels of [Config] as immutable values; the root model keeps the
// newest and hands them to the screen on show. Keys go to the overlay on top, else to the key map of the screen, else to
// the console's own. What a screen wants done comes back as a typed wish; commands.go alone turns wishes into deeds. A
// screen is a package of its own below this one and shares nothing with others but package ui.
//
// The root model and every screen live on the goroutine of the terminal program. Deeds run on goroutines of their own and
// answer with messages. Nothing here looks at a clock: time comes with ticks and values.
package tui
