// Package groups is the screen with all consumer groups: state, members, lag and how fast they consume.
//
// Rows are made of the newest snapshot; the screen asks for groups to be read while it is on show.
package groups
