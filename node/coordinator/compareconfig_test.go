package coordinator

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"kdrill/testdata/freeport"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

// The members of an ensemble change by the same requests, with the same errors and to the same text, as those of
// Apache ZooKeeper. A server that is added here never runs: a majority of the new members does.
func TestAnEnsembleIsReconfiguredAsOneOfApacheZooKeeper(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Apache ZooKeeper")
	}
	settings := []string{"reconfigEnabled=true", "maxSessionTimeout=120000", "DigestAuthenticationProvider.superDigest=super:lK75jTNcA+U9vtVEw5vB51mj/w4="}
	theirs := playReconfig(t, startApache(t, 3, settings...))
	for range 2 { // Apache's members may elect once more when they seem to have settled, which ends the connection in midst of the play
		if !slices.ContainsFunc(theirs, func(line string) bool { return strings.HasSuffix(line, "connection ended") }) {
			break
		}
		theirs = playReconfig(t, startApache(t, 3, settings...))
	}
	ours := playReconfig(t, startEnsemble(t, 3, settings...))
	for i := range max(len(theirs), len(ours)) {
		their, our := "nothing", "nothing"
		if i < len(theirs) {
			their = theirs[i]
		}
		if i < len(ours) {
			our = ours[i]
		}
		if their != our {
			t.Errorf("\nApache %s\nhere   %s", their, our)
		}
	}
	t.Logf("%d answers compared", len(ours))
}

func playReconfig(t *testing.T, e *ensemble) []string {
	p := &player{t: t, addr: e.nodes[0].client, clients: map[string]*rawClient{}, sessions: map[int64]string{}}
	p.open("a")
	p.create("a", "/first", "", 0)
	var version int64 // of the members, as last shown
	show := p.showMembers(&version)
	get := func() { p.read("a", proto.OpGetData, tree.ConfigPath, true, both(show, showStat)) }
	ask := func(what, joining, leaving, all string, version int64) {
		p.do("a", "reconfig "+what, proto.OpReconfig, func(e *proto.Encoder) {
			for _, s := range []string{joining, leaving, all} {
				if s == "" {
					e.Int(-1)
				} else {
					e.String(s)
				}
			}
			e.Long(version)
		}, both(show, showStat))
	}
	get()
	ports := freeport.Find(t, 3)
	four := fmt.Sprintf("server.4=127.0.0.1:%d:%d;%d", ports[0], ports[1], ports[2])
	ask("without permission", four, "", "", -1)
	p.auth("a", "digest", "super:secret")
	ask("of another version", four, "", "", 77)
	ask("of nothing to join", "nothing", "", "", -1)
	ask("without ports", "server.4=127.0.0.1:1", "", "", -1)
	ask("at an address that is taken", "server.4=10.9.8.7:1:2;3,server.5=10.9.8.7:1:5;6", "", "", -1)
	ask("of all to two at one address", "", "", "server.1=10.9.8.7:1:2;3,server.2=10.9.8.7:1:2;3", 77)
	ask("of too few", "", "2,3", "", -1)
	ask("of all to nonsense", "", "", "servers=many", -1)
	ask("that four joins", four, "", "", version)
	get()
	ask("that five is where four is", strings.Replace(four, "server.4", "server.5", 1), "", "", -1)
	get()
	ask("that five leaves", "", "5", "", -1)
	ask("of the version before", "", "4", "", 0)
	ask("that four observes", strings.Replace(four, ";", ":observer;", 1), "", "", -1)
	ask("that nobody joins who is there", strings.NewReplacer("server.4", "server.5").Replace(four)+","+strings.NewReplacer("server.4", "server.6", "127.0.0.1", "127.0.0.2").Replace(four), "1,2,4", "", -1)
	get()
	ask("that four leaves", "", "4", "", -1)
	get()
	var all []string
	for _, o := range e.nodes {
		all = append(all, fmt.Sprintf("%s;%s", o.server, o.client))
	}
	ask("of all", "", "", strings.Join(all, ","), -1)
	get()
	ask("that does nothing", "", "", "", -1)
	p.exists("a", tree.ConfigPath, false)
	p.set("a", tree.ConfigPath, "x", -1)
	p.exists("a", "/first", false)
	return p.lines
}

var versionText = regexp.MustCompile(`version=([0-9a-f]+)`)

// showMembers prints the data of /zookeeper/config with names in the place of ports, and notes its version.
func (p *player) showMembers(version *int64) shower {
	names := map[string]string{}
	return func(_ *player, d *proto.Decoder) string {
		text := regexp.MustCompile(`:[0-9]+`).ReplaceAllStringFunc(string(d.Buffer()), func(port string) string {
			if names[port] == "" {
				names[port] = fmt.Sprintf(":port%d", len(names)+1)
			}
			return names[port]
		})
		return strconv.Quote(versionText.ReplaceAllStringFunc(text, func(s string) string {
			*version, _ = strconv.ParseInt(strings.TrimPrefix(s, "version="), 16, 64)
			return "version=" + p.zxid(*version)
		}))
	}
}
