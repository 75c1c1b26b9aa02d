package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
	"dirsyncd/sync/api/socket"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/service"
	"dirsyncd/sync/spelling"
)

// fewExamples is how many rows or values a warning about a table names.
const fewExamples = 5

// unmatched warns of names in rules and tables that nothing has which was read. No source is asked; a state that cannot be
// looked at now, or is not there, says nothing, and nothing is said of a kind of object of which none was read.
func (cli *cli) unmatched(ctx context.Context, cfg *config.Config) []config.Problem {
	u := &unmatched{cfg: cfg, asked: map[string]int{}}
	u.eachMention(func(m *mapping.Mention, connections []string) { u.ask(m, connections) })
	if len(u.questions) == 0 {
		return nil
	}
	var ok bool
	if u.answers, ok = storedAnswers(ctx, cfg, u.questions); !ok {
		return nil
	}
	tables := map[string]*lookups{}
	u.eachMention(func(m *mapping.Mention, connections []string) {
		values, known := u.values(m, connections)
		if m.Table == nil {
			if known {
				u.checkText(m, values)
			}
			return
		}
		l := tables[m.Table.Name()]
		if l == nil {
			l = &lookups{decidable: true, met: map[string]bool{}}
			tables[m.Table.Name()] = l
		}
		l.add(m, values, known)
	})
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		u.checkTable(cfg.Tables[name], tables[name])
	}
	return u.found
}

// storedAnswers asks the daemon, or the state where none runs.
func storedAnswers(ctx context.Context, cfg *config.Config, questions []api.StoredQuestion) ([]api.StoredRows, bool) {
	if client, err := socket.Dial(ctx, string(cfg.Control)); err == nil {
		defer client.Close()
		answers, err := client.Stored(ctx, questions)
		return answers, err == nil && len(answers) == len(questions)
	}
	st, err := readState(ctx, cfg)
	if err != nil {
		return nil, false
	}
	defer func() { _ = st.Close() }()
	answers, err := service.Stored(ctx, st, questions)
	return answers, err == nil
}

type unmatched struct {
	cfg       *config.Config
	questions []api.StoredQuestion
	asked     map[string]int // the number of a question, by what it asks
	answers   []api.StoredRows
	found     []config.Problem
}

// eachMention goes over what the rules compare that can be held against what was read.
func (u *unmatched) eachMention(fn func(*mapping.Mention, []string)) {
	for _, name := range slices.Sorted(maps.Keys(u.cfg.Mappings)) {
		for _, m := range u.cfg.Mappings[name].Rules.Mentions() {
			named := m.Kind == 0 || m.Kind == directory.Group || m.Kind == directory.Licence || m.Name == directory.FieldPath
			if m.Table == nil && !named {
				continue // that nobody has such a title today is nothing odd
			}
			var connections []string
			for i := range u.cfg.Connections {
				if c := &u.cfg.Connections[i]; c.Mapping == name && m.For(c.Name) {
					connections = append(connections, c.Name)
				}
			}
			fn(&m, connections)
		}
	}
}

func (u *unmatched) ask(m *mapping.Mention, connections []string) {
	for _, c := range connections {
		if key := questionOf(m, c); m.Name != "" && u.asked[key] == 0 {
			u.questions = append(u.questions, api.StoredQuestion{Connection: c, Kind: kindWord(m.Kind), Names: []string{m.Name}})
			u.asked[key] = len(u.questions)
		}
	}
}

func questionOf(m *mapping.Mention, connection string) string {
	return connection + " " + kindWord(m.Kind) + " " + m.Name
}

// values returns what was read of what a mention is about, and whether that is everything there is.
func (u *unmatched) values(m *mapping.Mention, connections []string) (values []string, known bool) {
	seen := 0
	for _, c := range connections {
		at := u.asked[questionOf(m, c)]
		if at == 0 {
			return nil, false
		}
		answer := &u.answers[at-1]
		if answer.More {
			return nil, false
		}
		seen += answer.Seen
		for _, row := range answer.Rows {
			if len(row) == 1 && row[0] != "" {
				values = append(values, row[0])
			}
		}
	}
	if m.Part == "ou" {
		var units []string
		for _, path := range values {
			units = append(units, mapping.Units(path)...)
		}
		values = units
	}
	slices.Sort(values)
	return slices.Compact(values), seen > 0
}

// checkText warns of a text that nothing has.
func (u *unmatched) checkText(m *mapping.Mention, values []string) {
	has := func(v string) bool { return v == m.Text }
	if m.Part == "under" {
		has = func(v string) bool { return mapping.Under(v, m.Text) }
	}
	if m.Text == "" || slices.ContainsFunc(values, has) {
		return
	}
	hint := spelling.DidYouMean(m.Text, values, "")
	u.warn(u.cfg.File, m.Pos, hint, "%s: %s", m.Where, nobody(m, m.Text))
}

// nobody says that nothing was read that a mention is about.
func nobody(m *mapping.Mention, text string) string {
	what := "whose " + m.Name + " is"
	switch m.Part {
	case "ou":
		what = "in a unit"
	case "under":
		what = "under"
	}
	return fmt.Sprintf("no %s was read %s %q", kindWord(m.Kind), what, text)
}

func (u *unmatched) warn(file string, at mapping.Pos, hint, format string, args ...any) {
	u.found = append(u.found, config.Problem{File: file, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// lookups are what rules look up in one table.
type lookups struct {
	mentions []*mapping.Mention
	values   [][]string
	// decidable: it is known of all of them what they look up; met are the keys that something has.
	decidable bool
	met       map[string]bool
}

func (l *lookups) add(m *mapping.Mention, values []string, known bool) {
	if !known {
		l.decidable = false
		return
	}
	copied := *m
	l.mentions, l.values = append(l.mentions, &copied), append(l.values, values)
	for _, v := range values {
		l.met[m.Table.Same(v)] = true
	}
}

// checkTable warns of rows that nothing looks up, and of values that are looked up and have no row.
func (u *unmatched) checkTable(t *config.Table, l *lookups) {
	if l.decidable {
		u.checkRows(t, l)
	}
	for i, m := range l.mentions {
		var without []string
		for _, v := range l.values[i] {
			if _, _, ok := t.Rows.Find(v); !ok {
				without = append(without, v)
			}
		}
		// Most groups mean nothing to a table of roles: it is odd where most have a row.
		most := m.Kind == 0 || 2*len(without) < len(l.values[i])
		if len(without) > 0 && most && m.Part != "under" {
			u.warn(u.cfg.File, m.Pos, "`dirsyncd tables export` writes them as rows to fill in", "%s: table %s has no row for %s of which the %s was read: %s",
				m.Where, t.Spec.Name, term.Many(len(without), kindWord(m.Kind)), m.Name, examples(without))
		}
	}
}

func (u *unmatched) checkRows(t *config.Table, l *lookups) {
	var unmet []mapping.RowSpec
	for _, r := range t.Spec.Rows {
		if !l.met[t.Rows.Same(r.Key)] {
			unmet = append(unmet, r)
		}
	}
	file := t.File
	if file == "" {
		file = u.cfg.File
	}
	for i, r := range unmet {
		if i == fewExamples {
			u.warn(file, r.Pos, "", "table %s: and %s more of which nothing was read", t.Spec.Name, term.Many(len(unmet)-i, "row"))
			return
		}
		u.warn(file, r.Pos, spelling.DidYouMean(r.Key, slices.Concat(l.values...), ""), "table %s: %s", t.Spec.Name, nobody(l.mentions[0], r.Key))
	}
}

func examples(list []string) string {
	text := strings.Join(list[:min(len(list), fewExamples)], ", ")
	if len(list) > fewExamples {
		text += ", …"
	}
	return text
}
