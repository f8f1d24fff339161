package tree

import "kdrill/node/coordinator/proto"

// Configure makes config the data of [ConfigPath] outside of any transaction.
func (t *Tree) Configure(config []byte) {
	n := t.nodes[ConfigPath]
	t.size += int64(len(config) - len(n.data))
	n.data = config
}

// Reconfigure makes config the data of [ConfigPath], whoever may write there. As at Apache its version is none.
func (x *Txn) Reconfigure(config []byte) proto.Stat {
	n := x.tree.nodes[ConfigPath]
	x.save(n)
	x.tree.size += int64(len(config) - len(n.data))
	n.data, n.version, n.mzxid, n.mtime = config, -1, x.zxid, x.time
	x.Events = append(x.Events, Event{proto.NodeDataChanged, ConfigPath, n.acl})
	return n.stat()
}
