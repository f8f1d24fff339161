// Package authorizer decides who may do what, as Apache's AclAuthorizer does: by access control lists of resources,
// super users, and what is to happen where no list exists.
//
// [Rules] is the decision core: an immutable set of lists with pure questions. The broker keeps the current one, makes
// the next with [Rules.With] when a znode under /kafka-acl or /kafka-acl-extended changed, and asks it before it serves
// a request. [Filter] selects entries for DescribeAcls and DeleteAcls; [Encode], [Decode] and the paths are what stands
// in ZooKeeper.
//
// Nothing here blocks, and everything is safe to use from any goroutine.
//
// Sources: KIP-11, KIP-290, KIP-430, KIP-679; kafka.security.authorizer.AclAuthorizer on Kafka's 3.9 branch.
package authorizer
