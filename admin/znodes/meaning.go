package znodes

import "strings"

// Meaning says in a few words what a znode of a Kafka below chroot is, empty where it is none of those that are known.
func Meaning(chroot, at string) string {
	m, _ := about(chroot, at)
	return m
}

// Hits says in a sentence what a change of a znode does to that Kafka, empty where it does nothing that is known.
func Hits(chroot, at string) string {
	_, hits := about(chroot, at)
	return hits
}

// kinds are the znodes of Kafka: a pattern, whose * is one part of the path, what that is, and what a change by hand does.
var kinds = []struct{ pattern, means, hits string }{
	{"/controller", "who controls the cluster", "The controller loses its office at once and the brokers elect another one."},
	{"/controller_epoch", "how many controllers there were", "The controller's writes are fenced: it resigns, and the brokers elect another one."},
	{"/cluster/id", "the identity of the cluster", "Brokers whose log directories have another id do not start again."},
	{"/brokers/ids/*", "registration of broker-$1", "The cluster takes broker-$1 for dead: its partitions get other leaders until it registers again."},
	{"/brokers/ids", "registered brokers", "The cluster takes every broker for dead: nobody leads any partition."},
	{"/brokers/topics/*/partitions/*/state", "leader and isr of $1/$2", "Leader, isr and epochs of $1/$2 change behind the back of its controller, which may overwrite them."},
	{"/brokers/topics/*/partitions/*", "partition $2 of $1", "The state of $1/$2 goes with it."},
	{"/brokers/topics/*/partitions", "partitions of $1", "The states of all partitions of $1 go with it."},
	{"/brokers/topics/*", "topic $1 with its assignment", "The assignment of topic $1 changes: brokers may drop its replicas."},
	{"/brokers/topics", "topics", "Every topic is in there."},
	{"/brokers/seqid", "the last generated broker id", ""},
	{"/brokers", "brokers and topics", "Everything that the cluster is made of is in there."},
	{"/cluster", "the identity of the cluster", "Brokers whose log directories have another id do not start again."},
	{"/config/changes/*", "notice of a changed config", ""},
	{"/config/changes", "notices of changed configs", ""},
	{"/config/topics/*", "configs of topic $1", "Brokers read the configs of topic $1 again when a notice is put into /config/changes, or when they start."},
	{"/config/brokers/*", "configs of broker $1", "Broker $1 reads them again when a notice is put into /config/changes, or when it starts."},
	{"/config/clients/*", "quotas of client $1", ""},
	{"/config/users/*", "quotas and credentials of user $1", "User $1 may not get in any more."},
	{"/config/ips/*", "connection quota of $1", ""},
	{"/config", "configs", ""},
	{"/admin/delete_topics/*", "topic $1 is to be deleted", "The controller deletes topic $1 with its records when this is created."},
	{"/admin/reassign_partitions", "replicas that move", "The controller moves the replicas that are named here, or stops to."},
	{"/admin/preferred_replica_election", "elections that were asked for", "The controller elects preferred leaders when this is created."},
	{"/isr_change_notification", "notices of changed isr, by old brokers", ""},
	{"/log_dir_event_notification", "notices of failed log directories", ""},
	{"/latest_producer_id_block", "producer ids that were given away", "Producer ids may be given away twice."},
	{"/kafka-acl/*/*", "ACLs of $1 $2", "Who may use $1 $2 changes when a notice is put into /kafka-acl-changes."},
	{"/kafka-acl", "ACLs", "Who may do what changes."},
	{"/feature", "features and their versions", ""},
	{"/migration", "progress of a migration to KRaft", "The migration may go wrong."},
	{"/consumers", "consumers of Kafka before 0.9", ""},
	{"/zookeeper/quota", "ZooKeeper's quotas", ""},
	{"/zookeeper/config", "the ensemble's own configuration", ""},
}

// about finds the kind of a znode.
func about(chroot, at string) (means, hits string) {
	rest := at
	if !strings.HasPrefix(at, "/zookeeper/") {
		var ok bool
		if rest, ok = strings.CutPrefix(at, chroot); !ok {
			return "", ""
		}
	}
	parts := strings.Split(rest, "/")
	for _, k := range kinds {
		if names, ok := match(strings.Split(k.pattern, "/"), parts); ok {
			fill := strings.NewReplacer(names...)
			return fill.Replace(k.means), fill.Replace(k.hits)
		}
	}
	return "", ""
}

// match says whether the parts are those of the pattern; names are what its stars stand for, as pairs of $1 and value.
func match(pattern, parts []string) (names []string, ok bool) {
	if len(parts) != len(pattern) {
		return nil, false
	}
	for i, p := range parts {
		if pattern[i] == "*" {
			names = append(names, "$"+string(rune('1'+len(names)/2)), p)
		} else if pattern[i] != p {
			return nil, false
		}
	}
	return names, true
}
