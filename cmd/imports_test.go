package cmd

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

// rules says which of our packages a folder may import; the longest prefix of an importer decides.
var rules = []struct {
	from string
	may  []string // prefixes
}{
	{"kdrill", []string{"kdrill/cmd"}},
	{"kdrill/cmd", []string{"kdrill"}},
	{"kdrill/tui", []string{"kdrill/tui", "kdrill/admin", "kdrill/cluster", "kdrill/themes"}},
	{"kdrill/admin", []string{"kdrill/admin", "kdrill/node/layout", "kdrill/node/certs"}},
	{"kdrill/cluster", []string{"kdrill/cluster"}},
	{"kdrill/cluster/drill", []string{"kdrill/cluster", "kdrill/admin"}},
	{"kdrill/node", []string{"kdrill/node"}},
	{"kdrill/themes", []string{"kdrill/themes"}},
}

// foreign says which modules a folder may use beside the standard library; folders not named here may use any.
var foreign = map[string][]string{
	"kdrill/cluster": {"go.yaml.in/yaml"},
	"kdrill/themes":  {"charm.land/lipgloss"},
}

// shared are screens' common parts: any package below tui may import them.
var shared = []string{"kdrill/tui/ui"}

type pkg struct {
	ImportPath string
	Doc        string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports", "kdrill/...")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func under(p, prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }

func underAny(p string, prefixes []string) bool {
	for _, prefix := range prefixes {
		if under(p, prefix) {
			return true
		}
	}
	return false
}

func TestPackagesImportOnlyWhatTheDesignAllows(t *testing.T) {
	all := packages(t)
	if len(all) < 5 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	for _, p := range all {
		may := rules[0].may
		for _, r := range rules[1:] {
			if under(p.ImportPath, r.from) {
				may = r.may
			}
		}
		for _, imported := range p.Imports {
			switch {
			case !under(imported, "kdrill"):
				for folder, modules := range foreign {
					if under(p.ImportPath, folder) && strings.Contains(strings.Split(imported, "/")[0], ".") && !underAny(imported, modules) {
						t.Errorf("%s imports %s: only %s may come from outside the standard library", p.ImportPath, imported, strings.Join(modules, ", "))
					}
				}
			case !underAny(imported, may):
				t.Errorf("%s imports %s", p.ImportPath, imported)
			case isScreen(p.ImportPath) && isScreen(imported) && screenOf(p.ImportPath) != screenOf(imported):
				t.Errorf("screen %s imports screen %s", p.ImportPath, imported)
			}
		}
	}
}

// isScreen says whether a package belongs to one screen of the console.
func isScreen(p string) bool {
	return strings.HasPrefix(p, "kdrill/tui/") && !underAny(p, shared)
}

func screenOf(p string) string { return strings.Split(strings.TrimPrefix(p, "kdrill/tui/"), "/")[0] }

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" && p.ImportPath != path.Join("kdrill", "testdata") {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
