// Package apache knows Apache Kafka as it lies on a user's disk: distributions, and the Java that runs them.
//
// [Inspect] reads from the names of jars what a folder holds. A [Store] remembers the distributions of a user by name: a
// folder stays where it is, an archive is checked and unpacked below the store. [FindJava] looks where Apache's own
// scripts look. Nothing here starts a broker; package cluster does.
//
// Functions keep no state; two processes may use one store, since an entry appears by a rename.
package apache
