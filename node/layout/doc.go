// Package layout names the znodes that a Kafka cluster in ZooKeeper mode keeps and the JSON in them.
//
// Brokers and the controller write these znodes, the console reads them; all three use this package, so
// that a path or a field exists once. Encoding follows Kafka 3.9, decoding accepts every version since
// 0.9: unknown fields are ignored, absent ones keep their zero value.
//
// The package holds values and pure functions only; it never talks to ZooKeeper.
//
// Source: kafka/zk/ZkData.scala on Kafka's 3.9 branch.
package layout
