// Package security turns a client.properties, as Apache Kafka's own tools take it, into the options of a Kafka client, and
// the settings of a ZooKeeper client, as they take them too, into those of its connections.
//
// The file names a protocol, where certificates lie and how to log in; out come options for TLS and SASL. What it
// says about other things is listed as ignored; what it says wrongly is an error that names file, line and key and
// never repeats a value.
//
// The package holds pure functions; nothing in it is shared.
package security

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/magiconair/properties"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Settings is what a client.properties means to a Kafka client.
type Settings struct {
	Protocol string // security.protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	Options  []kgo.Opt
	Ignored  []string // keys that Apache knows and that have no effect here, in the order of the file
}

// Load reads the file at path.
func Load(path string) (Settings, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Settings{}, err
	}
	return parse(path, data)
}

// file is a properties file with the lines its keys stand on.
type file struct {
	path  string
	props *properties.Properties
	lines map[string]int
}

// errorf names the place of key. The value never goes into it: it may be a secret.
func (f *file) errorf(key, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if line := f.lines[key]; line > 0 {
		return fmt.Errorf("%s:%d: %s: %s", f.path, line, key, what)
	}
	return fmt.Errorf("%s: %s: %s", f.path, key, what)
}

func (f *file) get(key string) string { return strings.TrimSpace(f.props.GetString(key, "")) }

func read(path string, data []byte) (*file, error) {
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	props, err := loader.LoadBytes(data)
	if err != nil {
		// The parser's error quotes the text around the mistake, which may be a password.
		return nil, fmt.Errorf("%s: not a properties file: look for an unfinished escape such as \\u12", path)
	}
	return &file{path: path, props: props, lines: lines(data)}, nil
}

func parse(path string, data []byte) (Settings, error) {
	f, err := read(path, data)
	if err != nil {
		return Settings{}, err
	}
	var s Settings
	for _, key := range f.props.Keys() {
		switch {
		case slices.Contains(used, key):
		case known(key):
			s.Ignored = append(s.Ignored, key)
		default:
			return Settings{}, f.errorf(key, "not a client setting of Kafka; remove it or mend its name")
		}
	}
	if err := f.options(&s); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// options adds what the security protocol asks for.
func (f *file) options(s *Settings) error {
	protocol := cmp.Or(strings.ToUpper(f.get("security.protocol")), "PLAINTEXT")
	s.Protocol = protocol
	switch protocol {
	case "PLAINTEXT":
		return nil
	case "SSL", "SASL_PLAINTEXT", "SASL_SSL":
	default:
		return f.errorf("security.protocol", "must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
	}
	if strings.HasSuffix(protocol, "SSL") {
		config, err := f.tls("ssl.")
		if err != nil {
			return err
		}
		s.Options = append(s.Options, kgo.DialTLSConfig(config))
	}
	if strings.HasPrefix(protocol, "SASL") {
		mechanism, err := f.sasl()
		if err != nil {
			return err
		}
		s.Options = append(s.Options, kgo.SASL(mechanism))
	}
	return nil
}

// lines finds the line each key starts on.
func lines(data []byte) map[string]int {
	at := map[string]int{}
	continued := false
	for i, line := range strings.Split(string(data), "\n") {
		text := strings.TrimSpace(line)
		first := !continued
		comment := strings.HasPrefix(text, "#") || strings.HasPrefix(text, "!")
		continued = (!first || !comment) && oddBackslashes(text)
		if !first || text == "" || comment {
			continue
		}
		key := text
		if end := strings.IndexAny(text, "=: \t"); end >= 0 {
			key = text[:end]
		}
		at[key] = i + 1
	}
	return at
}

func oddBackslashes(text string) bool {
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}
