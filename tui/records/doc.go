// Package records is the screen that reads a topic: a live tail that can be paused and filtered, and one record in
// full.
//
// Batches of a tail come as messages and go into a bounded buffer; the rows on screen are those of the buffer that pass
// the filter. What was read while the screen stands still waits in the buffer, so that nothing moves under the cursor.
// The record that is open is a value of its own and stays when the buffer has moved on.
//
// Everything runs on the goroutine of the root model.
package records
