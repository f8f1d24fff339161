package ui

import (
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
)

func key(name string) tea.KeyPressMsg {
	special := map[string]rune{"enter": tea.KeyEnter, "tab": tea.KeyTab, "esc": tea.KeyEscape, "right": tea.KeyRight, "left": tea.KeyLeft, "backspace": tea.KeyBackspace}
	if code, ok := special[name]; ok {
		return tea.KeyPressMsg{Code: code}
	}
	if rest, ok := strings.CutPrefix(name, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: []rune(rest)[0], Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

func TestConfirmNeedsToBeSeenFirst(t *testing.T) {
	ask := func() *Confirm {
		return &Confirm{Title: "Kill", Choices: []Choice{{Name: "Kill", Act: Wish("killed")}}}
	}
	play := func(c *Confirm, keys ...string) (closed bool, wish tea.Msg) {
		for _, k := range keys {
			if done, cmd := c.Press(key(k)); done {
				if cmd == nil {
					return true, nil
				}
				return true, cmd()
			}
		}
		return false, nil
	}
	if closed, wish := play(ask(), "y", "right", "enter"); closed || wish != nil {
		t.Error("keys that were typed too soon count")
	}
	armed := ask()
	armed.Update(Armed{})
	if closed, wish := play(armed, "enter"); !closed || wish != nil {
		t.Error("Cancel is not the default")
	}
	armed = ask()
	armed.Update(Armed{})
	if closed, wish := play(armed, "right", "enter"); !closed || wish != "killed" {
		t.Error("the choice is not taken")
	}
	if closed, wish := play(ask(), "esc"); !closed || wish != nil {
		t.Error("esc does not cancel at once")
	}
}

func TestFormSaysWhatIsWrongAndStaysOpen(t *testing.T) {
	form := NewForm(Form{
		Verb:   "create",
		Fields: []Field{{Name: "name"}, {Name: "count", Value: "x", Check: func(v string) error { return map[bool]error{true: errors.New("no number")}[v == "x"] }}},
		Submit: func(v []string) (tea.Cmd, error) { return Wish(strings.Join(v, ",")), nil },
	})
	form.Press(key("a"))
	if done, _ := form.Press(key("ctrl+s")); done {
		t.Fatal("a wrong value is accepted")
	}
	box := form.Box(Frame{Width: 80, Height: 24})
	text := ""
	for _, l := range box.Lines {
		text += l.String() + "\n"
	}
	if !strings.Contains(text, "no number") {
		t.Errorf("it does not say what is wrong:\n%s", text)
	}
	form.Press(key("backspace"))
	form.Press(key("7"))
	done, cmd := form.Press(key("enter"))
	if !done || cmd() != "a,7" {
		t.Error("what was typed is not submitted")
	}
}

func TestInputEditsWhatReadersTakeForOneCharacter(t *testing.T) {
	in := NewInput("")
	for _, step := range []struct{ key, want string }{
		{"입", "입"}, {"금", "입금"}, {"left", "입금"}, {"x", "입x금"}, {"backspace", "입금"}, {"ctrl+a", "입금"}, {"ctrl+d", "금"}, {"ctrl+e", "금"}, {"ctrl+u", ""},
	} {
		in.Key(key(step.key))
		if in.Value() != step.want {
			t.Fatalf("after %s: %q, want %q", step.key, in.Value(), step.want)
		}
	}
	in.Insert("one two\nthree\x1b[31m")
	in.Key(key("ctrl+w"))
	if in.Value() != "one two " {
		t.Errorf("a word back: %q", in.Value())
	}
	for width := 2; width < 20; width++ {
		in := NewInput("주문 and more")
		if got := in.Line(themes.Text, width, true).Width(); got != width {
			t.Errorf("%d cells of %d", got, width)
		}
	}
}

func TestSparklineScalesToItsGreatestValue(t *testing.T) {
	if got := Sparkline([]float64{0, 1, 2, 3, 4, -1}, 3); got != "⣀⣴⡇" {
		t.Errorf("got %s", got)
	}
	if got := Sparkline([]float64{5}, 2); got != " ⢸" {
		t.Errorf("one value: %q", got)
	}
	if got := Sparkline(nil, 3); got != "   " {
		t.Errorf("nothing: %q", got)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Count(1234567), "1,234,567"},
		{Count(12), "12"},
		{Count(-1), "?"},
		{Bytes(18_400_000), "18 MB"},
		{Bytes(1536), "1.5 kB"},
		{Bytes(999), "999 B"},
		{Memory(38 << 20), "38M"},
		{Rate(0), "0/s"},
		{Rate(1234), "1.2k/s"},
		{Rate(-1), "?"},
		{Rate(3.25), "3.2/s"},
		{Age(252 * time.Second), "4m12s"},
		{Age(26 * time.Hour), "1d02h"},
		{Old(12 * time.Second), "12 s old"},
		{Old(90 * time.Second), "1m30s old"},
		{Took(31 * time.Millisecond), "31 ms"},
		{Took(2020 * time.Millisecond), "2.02 s"},
		{Since(2021 * time.Millisecond), "+2.021"},
		{Quote("orders"), "orders"},
		{Quote("it's"), `'it'\''s'`},
		{Quote(""), "''"},
		{Broker(-1), "none"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestNoGlyphHasTwoWidths(t *testing.T) {
	drawn := Sparkline([]float64{1, 2, 3, 4, 0}, 4) + mark + Blocks(themes.New(themes.Dark), 3).String()
	for _, r := range drawn {
		if r > 0x7e && (r < 0x2800 || r > 0x28ff) {
			t.Errorf("%q (%U) is neither ASCII nor braille", r, r)
		}
	}
}

func TestLogLinesAreReadable(t *testing.T) {
	v := NewLogView()
	f := Frame{Data: Data{Location: time.UTC}, Theme: themes.New(themes.Plain), Width: 60, Height: 5}
	v.Append(`time=2026-03-14T12:04:31.870Z level=ERROR msg="cannot \"bind\"" port=9092`, "panic: no", `level=INFO odd`)
	got := seenLog(&v, f)
	for _, want := range []string{`12:04:31.870  error  cannot "bind"  port=9092`, "panic: no", "level=INFO odd"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestLogStandsStillOnceScrolled(t *testing.T) {
	v := NewLogView()
	f := Frame{Theme: themes.New(themes.Plain), Width: 20, Height: 3}
	v.Append("a", "b", "c", "d", "e")
	k, _ := Find(v.Keys("x"), "k")
	k.Act()
	v.Append("f", "g")
	if got := strings.Fields(seenLog(&v, f)); strings.Join(got, "") != "bcd" {
		t.Errorf("shows %v, want b c d", got)
	}
	k, _ = Find(v.Keys("x"), "G")
	k.Act()
	v.Append("h")
	if got := strings.Fields(seenLog(&v, f)); strings.Join(got, "") != "fgh" {
		t.Errorf("shows %v, want f g h", got)
	}
}

func TestWrappedLogLosesNothing(t *testing.T) {
	v := NewLogView()
	v.Wrap = true
	v.Append("abcdefghijklmnopqrstuvwxyz")
	got := seenLog(&v, Frame{Theme: themes.New(themes.Plain), Width: 10, Height: 6})
	if joined := strings.Join(strings.Fields(got), ""); joined != "abcdefghijklmnopqrstuvwxyz" {
		t.Errorf("%q", joined)
	}
}

// FuzzLine: whatever a record or a name holds, a line takes exactly its cells and obeys nothing.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"orders", "주문", "\x1b[31mred\x1b[m", "a\nb", "\xff\xfe", "\u202eevil", "e\u0301", "👩‍👩‍👧", "\u0600\u200b"} {
		f.Add(s, 10)
	}
	theme := themes.New(themes.Plain)
	f.Fuzz(func(t *testing.T, text string, width int) {
		width = max(1, min(width, 200))
		got := Styled(themes.Text, text).Render(theme, width)
		if w := Width(got); w != width {
			t.Errorf("%q takes %d cells of %d", got, w, width)
		}
		if strings.ContainsAny(got, "\x1b\n\r\t\a\b") {
			t.Errorf("%q reaches the terminal", got)
		}
	})
}

func seenLog(v *LogView, f Frame) string {
	var b strings.Builder
	skip := false
	for _, r := range v.View(f) {
		switch {
		case r == '\x1b':
			skip = true
		case skip:
			skip = r != 'm'
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
