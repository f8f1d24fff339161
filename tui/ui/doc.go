// Package ui is what the screens of the console share: the contract between a screen and the root model, the messages
// between them, and the parts they are drawn with.
//
// Values come down: the root model hands a screen [Data] when something changed and a [Frame] when it draws. Wishes go
// up: a screen answers a key with a command that only carries a typed message, such as [Open] or [Fault]; the root model
// acts on it at once. Parts (table, form, input, bar …) are structs with methods: a screen owns them, hands them keys and
// gets lines back.
//
// Everything here runs on the root model's goroutine and neither blocks, sleeps, nor looks at a clock: time is a field of
// Data and Frame.
package ui
