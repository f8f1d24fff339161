package znodes

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Format is a way to show data.
type Format string

// The formats. Auto takes the first of JSON, text and hex that the data can be shown as.
const (
	Auto Format = "auto"
	JSON Format = "json"
	Text Format = "text"
	Hex  Format = "hex"
)

// Show writes data in a format, in as many lines as it needs, and says which it is. Data that is no JSON or no text is shown
// as the next that it is. Text may still hold what a terminal would obey only if it was asked for by name: control
// characters other than line ends and tabs make it hex.
func Show(data []byte, as Format) (string, Format) {
	switch as {
	case Auto, JSON:
		if text, ok := indented(data); ok {
			return text, JSON
		}
		fallthrough
	case Text:
		if printable(data) {
			return string(data), Text
		}
	}
	return strings.TrimSuffix(hex.Dump(data), "\n"), Hex
}

// indented is the data as JSON with one field a line; a bare number or word is text.
func indented(data []byte) (string, bool) {
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 || trimmed[0] != '{' && trimmed[0] != '[' || !utf8.Valid(data) {
		return "", false
	}
	var b bytes.Buffer
	if err := json.Indent(&b, trimmed, "", "  "); err != nil {
		return "", false
	}
	return b.String(), true
}

func printable(data []byte) bool {
	return utf8.Valid(data) && !bytes.ContainsFunc(data, func(r rune) bool {
		return r != '\n' && r != '\t' && r != '\r' && unicode.IsControl(r)
	})
}

// Preview is data in one line of at most limit bytes.
func Preview(data []byte, limit int) string {
	cut := data[:min(len(data), limit)]
	for len(cut) < len(data) && len(cut) > 0 && !utf8.Valid(cut) && len(cut) > limit-utf8.UTFMax {
		cut = cut[:len(cut)-1]
	}
	if printable(cut) {
		return strings.Join(strings.Fields(string(cut)), " ")
	}
	return "0x" + hex.EncodeToString(cut[:min(len(cut), limit/2)])
}
