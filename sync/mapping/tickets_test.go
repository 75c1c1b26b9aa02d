package mapping

import (
	"fmt"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
)

func ticketSpec(edit func(*TicketSpec)) Spec {
	t := TicketSpec{Name: "joiner", Pos: Pos{9, 3}, On: Joining, For: directory.UserRecord, Fields: []FieldSpec{{Name: "summary", Pos: Pos{10, 5}, Value: ValueSpec{`= "New: " + name`, Pos{10, 14}}}}}
	edit(&t)
	return Spec{Name: "m", Rules: []RuleSpec{{Name: "all", Records: map[directory.RecordKind][]FieldSpec{directory.UserRecord: nil}}}, Tickets: []TicketSpec{t}}
}

func TestTicketProblems(t *testing.T) {
	for want, edit := range map[string]func(*TicketSpec){
		"":                                     func(*TicketSpec) {},
		"9:3 ticket joiner has no summary":     func(s *TicketSpec) { s.Fields = nil },
		"10:22 ticket joiner.summary: unkn":    func(s *TicketSpec) { s.Fields[0].Value.Value = `= "N" + nam` },
		"10:5 ticket joiner.summary: a ticket": func(s *TicketSpec) { s.Fields[0].On = OnCreate },
		"11:5 ticket joiner.user: that is whom": func(s *TicketSpec) {
			s.Fields = append(s.Fields, FieldSpec{Name: "user", Pos: Pos{11, 5}, Value: ValueSpec{Value: "x"}})
		},
		"9:3 ticket joiner: no rule makes a record of the kind agent": func(s *TicketSpec) { s.For = directory.AgentRecord },
		"9:3 ticket joiner: tickets are opened for people":            func(s *TicketSpec) { s.For = directory.AssetRecord },
		`9:3 ticket joiner: on: "joni" is unknown`:                    func(s *TicketSpec) { s.On = "joni" },
		"12:5 ticket joiner: when: ":                                  func(s *TicketSpec) { s.When = TextSpec{"name", Pos{12, 5}} },
	} {
		_, problems := Compile(ticketSpec(edit))
		got := ""
		if len(problems) > 0 {
			got = fmt.Sprintf("%d:%d %s", problems[0].Pos.Line, problems[0].Pos.Column, problems[0].Message)
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Tickets are asked when somebody comes: an edit of them maps nobody again, and what they look at is read.
func TestTicketsAndTheHash(t *testing.T) {
	with, problems := Compile(ticketSpec(func(s *TicketSpec) { s.When = TextSpec{Text: `"New" in groups`} }))
	if problems != nil {
		t.Fatal(problems)
	}
	spec := ticketSpec(func(*TicketSpec) {})
	spec.Tickets = nil
	without, _ := Compile(spec)
	if with.Hash() != without.Hash() || !with.OpensTickets() || without.OpensTickets() {
		t.Error("tickets have a part in the hash")
	}
	if !with.Uses().Groups || without.Uses().Groups {
		t.Error("what tickets look at is not read")
	}
}
