package tui

import (
	"os"
	"strings"
	"testing"

	"kdrill/tui/ui"
)

func TestASecondSaveGetsANameOfItsOwn(t *testing.T) {
	t.Chdir(t.TempDir())
	c := newCommands(Config{})
	for i, want := range []string{"broker-1.log", "broker-1-2.log", "broker-1-3.log"} {
		toast := c.save(ui.Save{Name: "broker-1.log", Text: want})().(ui.Toast)
		text, err := os.ReadFile(want)
		if err != nil || string(text) != want || !strings.HasSuffix(toast.Text, "/"+want) {
			t.Errorf("save %d: %q, %v, %q", i, text, err, toast.Text)
		}
	}
}
