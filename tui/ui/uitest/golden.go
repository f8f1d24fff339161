package uitest

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	uv "github.com/charmbracelet/ultraviolet"

	"kdrill/themes"
	"kdrill/tui/ui"
)

var update = flag.Bool("update", false, "write golden screens anew")

// Sizes are those that every screen is drawn in.
var Sizes = [][2]int{{80, 24}, {120, 40}, {60, 16}}

// Golden compares a drawn screen with the file of the name below testdata/golden. It fails too when a line does not have
// exactly width cells.
func Golden(t *testing.T, name string, theme themes.Theme, width, height int, view string) {
	t.Helper()
	lines := strings.Split(view, "\n")
	if len(lines) != height {
		t.Errorf("%s: %d lines, want %d", name, len(lines), height)
	}
	for i, line := range lines {
		if w := uv.NewStyledString(line).UnicodeWidth(); w != width {
			t.Errorf("%s: line %d has %d cells, want %d: %q", name, i+1, w, width, line)
		}
	}
	got := Draw(theme, width, height, view)
	path := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs from its golden screen, -update accepts it. It draws:\n%s%s", name, glyphs(got), firstDifference(string(want), got))
	}
}

// glyphs is the first part of a golden screen.
func glyphs(golden string) string {
	text, _, _ := strings.Cut(golden, "\n\n")
	return text
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("\nfirst at line %d of the file:\nwant %s\ngot  %s", i+1, w[i], g[i])
		}
	}
	return "\none is longer than the other"
}

// Draw puts a view on a grid and writes it as text: glyphs, styles, legend.
func Draw(theme themes.Theme, width, height int, view string) string {
	grid := uv.NewScreenBuffer(width, height)
	uv.NewStyledString(view).Draw(grid, grid.Bounds())
	meaning := legend(theme)
	var glyphs, styles strings.Builder
	used := map[string]bool{}
	for y := range height {
		var line, look strings.Builder
		for x := 0; x < width; x++ {
			cell := grid.CellAt(x, y)
			if cell == nil || cell.Width == 0 {
				continue
			}
			line.WriteString(cell.Content)
			look.WriteString(strings.Repeat(letter(cell, meaning, used), cell.Width))
		}
		fmt.Fprintf(&glyphs, "|%s|\n", line.String())
		fmt.Fprintf(&styles, "|%s|\n", look.String())
	}
	return glyphs.String() + "\n" + styles.String() + "\n" + strings.Join(slices.Sorted(maps.Keys(used)), "\n") + "\n"
}

// letter is the style of a cell: lower case on the ground, upper case on panels, later letters in the selected row.
func letter(cell *uv.Cell, meaning map[string]string, used map[string]bool) string {
	key := cell.Style.String()
	if cell.Content == " " && key == "" {
		return " "
	}
	name, ok := meaning[key]
	if !ok {
		used[fmt.Sprintf("? %q", key)] = true
		return "?"
	}
	if name == ". text" {
		return "."
	}
	used[name] = true
	return name[:1]
}

// legend names the styles of a theme.
func legend(theme themes.Theme) map[string]string {
	meaning := map[string]string{}
	surfaces := []struct {
		letters, name string
		theme         themes.Theme
	}{
		{"ABCDEFGHIJKLM", " on a panel", theme.Panel()}, {"nopqrstuvwxyz", " in the selected row", theme.Selected()}, {".bcdefghijklm", "", theme},
	}
	for _, s := range surfaces {
		all := themes.All()
		for i := len(all) - 1; i >= 0; i-- { // of equal styles, the first role names it
			cell := uv.NewScreenBuffer(1, 1)
			uv.NewStyledString(s.theme.Paint(all[i], "x")).Draw(cell, cell.Bounds())
			meaning[cell.CellAt(0, 0).Style.String()] = s.letters[i:i+1] + " " + all[i].String() + s.name
		}
	}
	return meaning
}

// Frame makes a frame of a fixture.
func Frame(d ui.Data, width, height int) ui.Frame {
	return ui.Frame{Data: d, Theme: themes.New(themes.Dark), Width: width, Height: height}
}
