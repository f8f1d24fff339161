// Package uitest helps to test screens: fixtures of a cluster, and golden screens on a grid of cells.
//
// A golden screen is text: the glyphs of every cell, below them one letter a cell for its style, then what the letters
// mean. Run the tests with -update to write them anew.
package uitest
