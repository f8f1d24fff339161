// Package group is the screen of one consumer group: how far it has come in every partition, who reads what and how
// fast, and its members.
//
// Rows are made of the newest snapshot; the screen asks for its group to be read while it is on show.
package group
