// Package settings reads a broker's server.properties and knows the configurations of brokers and topics by
// Apache's names, types, defaults and allowed values.
//
// [Load] turns a file into [Settings]; each wrong value is an error with file, line and key. The two tables,
// [Broker] and [Topic], also serve DescribeConfigs and check what AlterConfigs is asked to set.
//
// Settings and tables are values that nobody changes once they are made, but for the stores that listeners use; any goroutine
// may read them. Where the broker listens changes by making another [Listening] of the one in use ([Settings.Relisten]).
//
// One property is not Apache's: kdrill.http.listener=host:port has the broker serve /metrics (Prometheus) and /healthz
// there, without authentication: choose a loopback address. Without it nothing is served.
//
// Key and trust stores of listeners are apart from the rest: they change while the broker runs ([Listening.ReadStores]), and
// ZooKeeper may name those that it begins with ([Settings.Begin]). Passwords are in ZooKeeper as Kafka encodes them, so that
// either can read what the other wrote ([Values.Seal]).
//
// The tables were printed by Kafka 3.9.1's own definitions.
package settings
