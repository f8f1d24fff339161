package tree

import "kdrill/node/coordinator/proto"

// Configure makes config the data of [ConfigPath] outside of any transaction.
func (t *Tree) Configure(config []byte) {
	n := *t.get(ConfigPath)
	n.data = config
	t.set(ConfigPath, &n)
}

// Reconfigure makes config the data of [ConfigPath], whoever may write there. As at Apache its version is none.
func (x *Txn) Reconfigure(config []byte) proto.Stat {
	n := *x.tree.get(ConfigPath)
	n.data, n.version, n.mzxid, n.mtime = config, -1, x.zxid, x.time
	x.set(ConfigPath, &n)
	x.Events = append(x.Events, Event{proto.NodeDataChanged, ConfigPath, n.acl.list})
	return n.stat()
}
