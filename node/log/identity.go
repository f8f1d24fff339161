package log

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// identify checks meta.properties, or writes it into a directory that has none:
//
//	version=0
//	broker.id=1
//	cluster.id=a92pitikTIGH4knMxsjVSg
func (d *Dir) identify(id Identity) error {
	path := filepath.Join(d.path, metaFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		content := fmt.Sprintf("#\n#%s\ncluster.id=%s\nbroker.id=%d\nversion=0\n", time.Now().UTC().Format(time.UnixDate), id.ClusterID, id.BrokerID)
		return replace(path, []byte(content), true)
	} else if err != nil {
		return storage("read "+metaFile, err)
	}
	found := properties(text, "=")
	if v := found["cluster.id"]; v != "" && v != id.ClusterID {
		return fmt.Errorf("%w: %s belongs to cluster %s, this broker to %s: use another log.dirs or empty it", ErrIdentity, d.path, v, id.ClusterID)
	}
	if v := found["broker.id"]; v != "" && v != strconv.Itoa(int(id.BrokerID)) {
		return fmt.Errorf("%w: %s belongs to broker %s, this is broker %d: use another log.dirs or that broker.id", ErrIdentity, d.path, v, id.BrokerID)
	}
	return nil
}

func properties(text []byte, separator string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), separator); ok && !strings.HasPrefix(k, "#") {
			m[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	return m
}

const partitionFile = "partition.metadata"

// TopicID is the id in partition.metadata, zero if there is none.
func (l *Log) TopicID() [16]byte {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.topicID
}

// SetTopicID writes partition.metadata. A partition that has another id belongs to a topic that was deleted and
// created again: that is an error.
func (l *Log) SetTopicID(id [16]byte) error {
	l.write.Lock()
	defer l.write.Unlock()
	switch {
	case id == l.topicID || id == [16]byte{}:
		return nil
	case l.topicID != [16]byte{}:
		return fmt.Errorf("%s has topic id %s, not %s", l.tp, topicID(l.topicID), topicID(id))
	}
	if err := replace(filepath.Join(l.path, partitionFile), fmt.Appendf(nil, "version: 0\ntopic_id: %s", topicID(id)), false); err != nil {
		return err
	}
	l.mu.Lock()
	l.topicID = id
	l.mu.Unlock()
	return nil
}

func topicID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func (l *Log) readTopicID() error {
	text, err := os.ReadFile(filepath.Join(l.path, partitionFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return storage("read "+partitionFile, err)
	}
	id, err := base64.RawURLEncoding.DecodeString(properties(text, ":")["topic_id"])
	if err != nil || len(id) != len(l.topicID) {
		l.dir.log.Warn("topic id ignored", "partition", l.tp.String(), "file", partitionFile)
		return nil
	}
	l.topicID = [16]byte(id)
	return nil
}
