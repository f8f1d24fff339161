package security

import (
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// sasl reads the mechanism and, from the JAAS line, who logs in.
func (f *file) sasl() (sasl.Mechanism, error) {
	mechanism := strings.ToUpper(f.get("sasl.mechanism"))
	switch mechanism {
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
	case "":
		return nil, f.errorf("sasl.mechanism", "is missing; set PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	default:
		return nil, f.errorf("sasl.mechanism", "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	}
	line := f.get("sasl.jaas.config")
	if line == "" {
		return nil, f.errorf("sasl.jaas.config", `is missing; set org.apache.kafka.common.security.plain.PlainLoginModule required username="…" password="…";`)
	}
	options, ok := jaas(line)
	if !ok {
		return nil, f.errorf("sasl.jaas.config", `must read: <login module> required username="…" password="…";`)
	}
	user, password := options["username"], options["password"]
	if user == "" || password == "" {
		return nil, f.errorf("sasl.jaas.config", "needs username and password")
	}
	switch mechanism {
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password, IsToken: options["tokenauth"] == "true"}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password, IsToken: options["tokenauth"] == "true"}.AsSha512Mechanism(), nil
	}
	return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
}

var (
	jaasHead   = regexp.MustCompile(`^\s*[\w.$]+\s+(?i:required|requisite|sufficient|optional)(\s|;|$)`)
	jaasOption = regexp.MustCompile(`^\s*([\w.]+)\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s;"']+)`)
)

// jaas reads one entry of a JAAS configuration: a login module, a flag, options, a semicolon.
func jaas(line string) (options map[string]string, ok bool) {
	head := jaasHead.FindString(line)
	if head == "" {
		return nil, false
	}
	rest := strings.TrimSuffix(head, ";")
	rest = line[len(rest):]
	options = map[string]string{}
	for {
		m := jaasOption.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		options[m[1]] = unquote(m[2])
		rest = rest[len(m[0]):]
	}
	return options, strings.TrimSpace(rest) == ";"
}

// unquote takes the quotes off and backslashes out.
func unquote(value string) string {
	if len(value) < 2 || value[0] != '"' && value[0] != '\'' {
		return value
	}
	var b strings.Builder
	for i, text := 0, value[1:len(value)-1]; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
