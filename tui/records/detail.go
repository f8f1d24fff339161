package records

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"kdrill/admin/records"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// detail lays one record out in lines of at most width cells: where it stands, its headers, key and value. Raw shows
// bytes instead of text.
func detail(r *records.Record, raw bool, width int, clock func(time.Time) string) []ui.Line {
	lines := []ui.Line{
		pair("partition", fmt.Sprint(r.Partition)).To(30).Dim("offset  ").Text(fmt.Sprint(r.Offset)),
		pair("time", r.Time.Format("2006-01-02 ")+clock(r.Time)).Gap(2).Dim(r.TimeType),
		pair("size", fmt.Sprintf("%d bytes", r.Size())).To(30).Dim("leader epoch  ").Text(fmt.Sprint(r.LeaderEpoch)),
	}
	if r.ProducerID >= 0 {
		lines = append(lines, pair("producer", fmt.Sprintf("%d epoch %d", r.ProducerID, r.ProducerEpoch)))
	}
	lines = append(lines, nil, heading("Headers", len(r.Headers)))
	for _, h := range r.Headers {
		lines = append(lines, ui.Line{}.Gap(2).Dim(h.Key+"  ").Text(records.Text(h.Value)))
	}
	lines = append(lines, nil)
	lines = append(lines, block("Key", r.Key, raw, width)...)
	lines = append(lines, nil)
	return append(lines, block("Value", r.Value, raw, width)...)
}

func pair(label, value string) ui.Line {
	return ui.Line{}.Dim(ui.Fit(label, 11, false)).Text(value)
}

func heading(name string, n int) ui.Line {
	return ui.Line{}.Add(themes.Strong, name).Dim(fmt.Sprintf("  %d", n))
}

// block shows bytes as people read them: JSON indented, other text as it is, everything else in hex.
func block(name string, data []byte, raw bool, width int) []ui.Line {
	lines := []ui.Line{ui.Line{}.Add(themes.Strong, name).Dim("  " + describe(data, raw))}
	for line := range strings.Lines(body(data, raw)) {
		line = strings.TrimRight(strings.ReplaceAll(line, "\t", "    "), "\r\n")
		for first := true; first || line != ""; first = false {
			part := ui.Cut(line, max(width-2, 1), false)
			lines = append(lines, ui.Line{}.Gap(2).Text(part))
			if line = line[len(part):]; part == "" {
				break
			}
		}
	}
	return lines
}

func describe(data []byte, raw bool) string {
	switch {
	case data == nil:
		return "none"
	case len(data) == 0:
		return "empty"
	case raw || !utf8.Valid(data):
		return fmt.Sprintf("%d bytes, hex", len(data))
	case json.Valid(data) && structured(data):
		return fmt.Sprintf("%d bytes, JSON", len(data))
	}
	return fmt.Sprintf("%d bytes, text", len(data))
}

func body(data []byte, raw bool) string {
	switch {
	case raw || !utf8.Valid(data):
		return hex.Dump(data)
	case structured(data):
		var pretty bytes.Buffer
		if json.Indent(&pretty, data, "", "  ") == nil {
			return pretty.String()
		}
	}
	return string(data)
}

// structured says whether data may be a JSON object or array; numbers and words read better as they are.
func structured(data []byte) bool {
	data = bytes.TrimSpace(data)
	return len(data) > 0 && (data[0] == '{' || data[0] == '[')
}
