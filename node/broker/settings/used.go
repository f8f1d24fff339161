package settings

import (
	_ "embed"
	"strings"
)

//go:embed used.tsv
var usedText string

// used are the properties that change what this broker does, with what they are; empty where a topic's configuration says it.
func used() map[string]string {
	docs := map[string]string{}
	for line := range strings.Lines(usedText) {
		if name, doc, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); !strings.HasPrefix(name, "#") {
			docs[name] = doc
		}
	}
	return docs
}
