package auth

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// Rules turn the distinguished name of a certificate into a principal's name, ssl.principal.mapping.rules (KIP-371).
type Rules []rule

// rule is DEFAULT if it has no pattern.
type rule struct {
	pattern *regexp.Regexp
	replace string
	fold    func(string) string
}

// ruleForm is one rule in a list: RULE:pattern/replacement/[L|U], or DEFAULT. A slash in a pattern is escaped.
var ruleForm = regexp.MustCompile(`^\s*(?:(DEFAULT)|RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?))\s*(?:,|$)`)

// ParseRules reads ssl.principal.mapping.rules.
func ParseRules(text string) (Rules, error) {
	var rules Rules
	for rest := text; strings.TrimSpace(rest) != ""; {
		m := ruleForm.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("%q does not begin with DEFAULT or RULE:pattern/replacement/[LU]", strings.TrimSpace(rest))
		}
		rest = rest[len(m[0]):]
		if m[1] != "" {
			rules = append(rules, rule{})
			continue
		}
		pattern, err := regexp.Compile(`^(?:` + strings.ReplaceAll(m[2], `\/`, `/`) + `)$`)
		if err != nil {
			return nil, fmt.Errorf("%q is no pattern: %w", m[2], err)
		}
		r := rule{pattern: pattern, replace: goReplacement(m[3])}
		switch m[4] {
		case "L":
			r.fold = strings.ToLower
		case "U":
			r.fold = strings.ToUpper
		}
		rules = append(rules, r)
	}
	if len(rules) == 0 {
		rules = Rules{{}}
	}
	return rules, nil
}

var groupReference = regexp.MustCompile(`\$(\d+)`)

// goReplacement turns $1 into ${1}, which otherwise takes letters that follow.
func goReplacement(text string) string { return groupReference.ReplaceAllString(text, `$${$1}`) }

// Name returns the name of the first rule that fits.
func (rules Rules) Name(distinguished string) (string, error) {
	for _, r := range rules {
		if r.pattern == nil {
			return distinguished, nil
		}
		if !r.pattern.MatchString(distinguished) {
			continue
		}
		name := r.pattern.ReplaceAllString(distinguished, r.replace)
		if r.fold != nil {
			name = r.fold(name)
		}
		return name, nil
	}
	return "", fmt.Errorf("no rule of ssl.principal.mapping.rules fits the certificate's name %q", distinguished)
}

// rfc2253 are the attributes that have names; others are numbers.
var rfc2253 = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.9": "STREET",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// distinguishedName is a certificate's subject by RFC 2253, the most specific part first.
func distinguishedName(certificate *x509.Certificate) (string, error) {
	var sequence pkix.RDNSequence
	if rest, err := asn1.Unmarshal(certificate.RawSubject, &sequence); err != nil || len(rest) > 0 {
		return "", fmt.Errorf("the certificate's subject cannot be read: %w", err)
	}
	var parts []string
	for i := len(sequence) - 1; i >= 0; i-- {
		var set []string
		for _, attribute := range sequence[i] {
			set = append(set, attributeText(attribute))
		}
		parts = append(parts, strings.Join(set, "+"))
	}
	return strings.Join(parts, ","), nil
}

func attributeText(a pkix.AttributeTypeAndValue) string {
	name, known := rfc2253[a.Type.String()]
	text, isText := a.Value.(string)
	if known && isText {
		return name + "=" + escapeName(text)
	}
	der, err := asn1.Marshal(a.Value)
	if err != nil {
		return a.Type.String() + "="
	}
	return a.Type.String() + "=#" + hex.EncodeToString(der)
}

func escapeName(text string) string {
	var b strings.Builder
	for i, c := range text {
		edge := i == 0 && (c == ' ' || c == '#') || i == len(text)-1 && c == ' '
		if edge || strings.ContainsRune(`,+"\<>;`, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}
