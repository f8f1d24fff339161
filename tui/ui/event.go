package ui

import (
	"fmt"
	"strings"

	"kdrill/admin"
	"kdrill/themes"
)

// Told is one event in words, for tables and lists.
type Told struct {
	Tag     string // exit, zk, ctrl, lead, isr … at most five letters
	Look    themes.Role
	Subject string
	What    string // broker-2 -> broker-3
	Note    string // epoch 3 -> 4
}

// Tell puts an event into words.
func Tell(e admin.Event) Told {
	t := Told{Subject: e.Subject, Note: e.Note, Look: themes.Text}
	say := func(tag, what string, look themes.Role) {
		t.Tag, t.What, t.Look = tag, what, look
	}
	switch e.Kind {
	case admin.KindFault:
		say("fault", e.Note, themes.Accent)
		t.Subject, t.Note = orElse(e.New, "fault")+" "+e.Subject, ""
		if e.By != "" {
			t.Note = "by " + e.By
		}
	case admin.KindExit:
		say("exit", "ended, "+e.New, themes.Bad)
		if e.New == "status 0" {
			t.Look = themes.Text
		}
	case admin.KindStarted:
		say("start", "started, pid "+e.New, themes.Text)
	case admin.KindPaused:
		say("pause", "stands still", themes.Warn)
	case admin.KindResumed:
		say("go on", "goes on", themes.Text)
	case admin.KindSession:
		say("gone", "session ended", themes.Warn)
	case admin.KindJoined:
		say("join", "registered", themes.Good)
	case admin.KindController:
		say("ctrl", e.Change(), themes.Text)
		t.Subject = "controller"
		if e.New == "none" {
			t.Look = themes.Bad
		}
	case admin.KindCoordinator:
		say("zk", e.Change(), themes.Text)
	case admin.KindQuorum:
		say("quorum", e.Note, themes.Text)
		if e.New == "silent" {
			t.Look = themes.Warn
		}
	case admin.KindLeader:
		say("lead", e.Change(), themes.Text)
	case admin.KindISR:
		say("isr", e.Change(), themes.Text)
		if len(e.New) < len(e.Old) {
			t.Look = themes.Warn
		}
	case admin.KindOffline:
		say("down", "offline, "+orElse(e.Old, "nobody")+" led it", themes.Bad)
	case admin.KindBelowMinISR:
		say("isr", "below min ISR, "+e.New, themes.Bad)
	case admin.KindGroup:
		say("group", e.Change(), themes.Text)
	case admin.KindTopicCreated:
		say("topic", "created, "+e.New, themes.Text)
	case admin.KindTopicDeleted:
		say("topic", "deleted", themes.Text)
	case admin.KindPartitions:
		say("topic", e.Change()+" partitions", themes.Text)
	case admin.KindRecovered:
		say("ok", "recovered after "+e.New, themes.Good)
		if e.NoEffect() {
			what, why, _ := strings.Cut(e.Note, ": ")
			say("ok", what, themes.Good)
			t.Note = why
		}
	case admin.KindObserver:
		say("look", e.Note, themes.Dim)
		t.Note = ""
	default:
		say("?", e.Kind+" "+e.Change(), themes.Dim)
	}
	if e.NewEpoch > 0 && t.Note == "" {
		t.Note = fmt.Sprintf("epoch %d", e.NewEpoch)
		if e.OldEpoch > 0 || e.Kind == admin.KindLeader {
			t.Note = fmt.Sprintf("epoch %d -> %d", e.OldEpoch, e.NewEpoch)
		}
	}
	return t
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
