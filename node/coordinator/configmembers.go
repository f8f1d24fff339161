package coordinator

import (
	"path/filepath"
	"strconv"
	"strings"

	"kdrill/node/config"
	"kdrill/node/coordinator/members"
	"kdrill/node/coordinator/state"
)

// readMembers reads the server lines, which stand in the file itself or in the one that dynamicConfigFile names. A
// single one is no ensemble, unless standaloneEnabled is false: then others can join it.
func (s *settings) readMembers(f *config.File) {
	alone := f.Bool("standaloneEnabled", true)
	if alone {
		s.rules |= state.StandaloneEnabled
	}
	f.OneOf("peerType", "", "participant", "observer") // the server line says it too
	lines := f
	if path := f.String("dynamicConfigFile", ""); path != "" {
		var err error
		if lines, err = config.Load(path); err != nil {
			f.Reject("dynamicConfigFile", "%v", err)
			return
		}
		s.version, err = strconv.ParseInt(lines.String("version", "0"), 16, 64)
		if err != nil {
			lines.Reject("version", "it is not a number in hex digits")
		}
	}
	for e := range lines.Prefixed("server.") {
		m, err := members.Parse(strings.TrimPrefix(e.Key, "server."), e.Value)
		if err != nil {
			lines.Reject(e.Key, "%v", err)
			continue
		}
		s.members = append(s.members, m)
	}
	members.Sort(s.members)
	for _, e := range lines.Unused() {
		if lines != f {
			lines.Reject(e.Key, "unknown key")
		}
	}
	if err := lines.Err(); err != nil && lines != f {
		f.Reject("dynamicConfigFile", "%v", err)
	}
	if alone && len(s.members) == 1 {
		s.members = nil
	}
	if len(s.members) > 0 && s.members.Voters() == 0 {
		f.Reject("server."+strconv.FormatUint(s.members[0].ID, 10), "all are observers: somebody has to vote")
	}
}

// dynamicFile is where the members of a version are written.
func (s *settings) dynamicFile(version int64) string {
	base := s.path
	if name, _, ok := strings.Cut(filepath.Base(base), ".dynamic"); ok {
		base = filepath.Join(filepath.Dir(base), name)
	}
	return base + ".dynamic." + strconv.FormatUint(uint64(version), 16)
}
