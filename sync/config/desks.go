package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/robfig/cron/v3"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Desk is what the operator wants of a target that has things of its own. Words are those of the file; what they mean stands
// in package desk. What was not written has its zero value.
type Desk struct {
	// Match says how records are recognised at the place, the strongest key first; nil is what the target does by itself.
	Match map[directory.RecordKind][]MatchKey
	// Blanks are texts that count as no value.
	Blanks []string
	// First is what happens at the first contact: hold or go.
	First string
	// After is what becomes later of a record whose thing is there already: review or adopt.
	After string
	// Adopt is what is written to a thing that is adopted: link, blank or overwrite.
	Adopt string
	// Own says whose things may be taken out of use: created or adopted.
	Own string
	// Missing is what becomes of a record whose thing is gone: review, recreate or leave.
	Missing string
	// Members is whose memberships may be taken away: ours or exact.
	Members string
	// References say how what records refer to is found at the place, by field.
	References map[string]Reference
	// Protect are patterns of things that are never touched, by field.
	Protect map[string]settings.Names
	// Leavers are what becomes of the things of records that end.
	Leavers map[directory.RecordKind]Leaver
	// Reactivate is what becomes of a thing that a human took out of use and whose record is in use again: review or always.
	Reactivate string
	// Guard are the limits of a day, by what happens: create, adopt, overwrite, deactivate.
	Guard map[string]DeskLimit
	// Settle is how long what was written may be invisible to a search.
	Settle settings.Duration
	// Look is how who is there is found out: all (everything is listed) or keys (each record is looked up by its keys).
	Look string
	// Interim are values for a while, by field, for records that take each other's; in each * becomes a word of the record's own.
	Interim map[string]string
	// Audit says when the place is held against what was left there, and what is put right; nil: on demand only, and nothing.
	Audit *Audit
}

// Audit is an audit by schedule.
type Audit struct {
	// Schedule is as written; Times the same, parsed; nil when empty.
	Schedule string
	Times    cron.Schedule
	// Repair are the words of what is put right: missing, active, members. Fields are those that are always as the source has them.
	Repair, Fields []string
}

// auditKeys are the keys of the block audit.
type auditKeys struct {
	Schedule string   `yaml:"schedule"`
	Repair   []string `yaml:"repair"`
	Fields   []string `yaml:"fields"`
}

// deskKeys are the keys of a target that has things of its own, besides those of every target.
type deskKeys struct {
	Match      map[string][]MatchKey     `yaml:"match"`
	Blanks     []string                  `yaml:"blanks"`
	First      string                    `yaml:"first"`
	After      string                    `yaml:"after"`
	Adopt      string                    `yaml:"adopt"`
	Own        string                    `yaml:"own"`
	Missing    string                    `yaml:"missing"`
	Members    string                    `yaml:"members"`
	References map[string]Reference      `yaml:"references"`
	Protect    map[string]settings.Names `yaml:"protect"`
	Leavers    map[string]Leaver         `yaml:"leavers"`
	Reactivate string                    `yaml:"reactivate"`
	Guard      map[string]DeskLimit      `yaml:"guard"`
	Settle     settings.Duration         `yaml:"settle"`
	Audit      *auditKeys                `yaml:"audit"`
	Look       string                    `yaml:"look"`
	Interim    map[string]string         `yaml:"interim"`
}

// MatchKey is a key of the place, and where a record has its value.
type MatchKey struct {
	Key string
	// Of are the fields of a record of which the first that has a value gives it, and the words below.
	Of []string
	// Within: the key counts inside of the record's customer only. Ask: what has it is put before a human.
	Within, Ask bool
}

// Words beside the names of fields that a match can name.
const (
	MatchKeyWord = "key"     // the record's key
	MatchID      = "id"      // the source's id
	anchorPrefix = "anchor." // the source's id, if the source is of that kind
)

// Anchor returns the kind of source whose id a word of a match means.
func Anchor(word string) (connector string, is bool) { return strings.CutPrefix(word, anchorPrefix) }

// DecodeStrict reads {KEY: = FIELD ?? FIELD, within: customer, ask: true}.
func (m *MatchKey) DecodeStrict(v strict.Value) {
	entries, _ := v.Entries()
	for _, e := range entries {
		switch e.Key {
		case "within":
			if word, ok := e.Value.Text(); ok && word != "customer" {
				e.Value.Problem("write customer", "%s: unknown word %q", e.Value.Label(), word)
			}
			m.Within = true
		case "ask":
			m.Ask, _ = e.Value.Bool()
		default:
			if m.Key != "" {
				v.Problem("write one key in each entry of the list", "%s: has two keys, %s and %s", v.Label(), m.Key, e.Key)
				return
			}
			m.Key = e.Key
			m.Of = sources(e.Value)
		}
	}
	if m.Key == "" {
		v.Problem("write {userName: = login}", "%s: names no key of the place", v.Label())
	}
}

// sources reads "= login ?? email".
func sources(v strict.Value) []string {
	text, ok := v.Text()
	if !ok {
		return nil
	}
	expression, computed := strings.CutPrefix(strings.TrimSpace(text), "=")
	if !computed {
		v.Problem("write = "+text, "%s: is a text that every record would have", v.Label())
		return nil
	}
	var list []string
	for part := range strings.SplitSeq(expression, "??") {
		word := strings.TrimSpace(part)
		if !isField(word) {
			v.Problem("write a field of the record, or several with ?? between: = login ?? email", "%s: %q is not the name of a field", v.Label(), word)
			return nil
		}
		list = append(list, word)
	}
	return list
}

func isField(word string) bool {
	return word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789_.") == "" && word[0] >= 'a' && word[0] <= 'z'
}

// Reference says how something that records refer to is found at the place.
type Reference struct {
	// Alias are the place's names for the records' texts, where they differ.
	Alias map[string]string `yaml:"alias"`
	// Default is the name to use where a record has none.
	Default string `yaml:"default"`
	// Create makes what is not there.
	Create bool `yaml:"create"`
}

// Leaver says what becomes of the things of records that end.
type Leaver struct {
	Do          string `yaml:"do"`           // deactivate, delete, review, keep; empty: the default of the kind
	OpenTickets string `yaml:"open_tickets"` // wait, which is the default, or go
}

// DeskLimit is how much may happen at the place in a day without a human. What is nil was not written.
type DeskLimit struct {
	Count   *int     `yaml:"count"`
	Percent *float64 `yaml:"percent"` // of the things of the kind that are linked
}

// About is what a target that has things of its own knows: the names of its keys by kind of record, the fields of which a record
// must have one of each list, and the fields that it knows as things.
type About struct {
	Keys       map[directory.RecordKind][]string
	Needs      map[directory.RecordKind][][]string
	References []string
}

// desk checks what stands beside a target's block.
func (k *deskKeys) desk(v strict.Value, about About) *Desk {
	d := &Desk{
		Blanks: k.Blanks, First: k.First, After: k.After, Adopt: k.Adopt, Own: k.Own, Missing: k.Missing, Members: k.Members,
		References: k.References, Protect: k.Protect, Reactivate: k.Reactivate, Guard: k.Guard, Settle: k.Settle, Look: k.Look, Interim: k.Interim,
	}
	for _, word := range []struct {
		key, has string
		known    []string
	}{
		{"first", k.First, []string{"hold", "go"}},
		{"after", k.After, []string{"review", "adopt"}},
		{"adopt", k.Adopt, []string{"blank", "link", "overwrite"}},
		{"own", k.Own, []string{"adopted", "created"}},
		{"missing", k.Missing, []string{"review", "recreate", "leave"}},
		{"members", k.Members, []string{"ours", "exact"}},
		{"look", k.Look, []string{"all", "keys"}},
		{"reactivate", k.Reactivate, []string{"review", "always"}},
	} {
		oneOf(v.Get(word.key), word.has, word.known)
	}
	for _, kind := range slices.Sorted(maps.Keys(k.Match)) {
		at := v.Get("match").Get(kind)
		of, known := knownKind(at, kind, about)
		if !known {
			continue
		}
		for i, m := range k.Match[kind] {
			if m.Key != "" && !slices.Contains(about.Keys[of], m.Key) {
				item, _ := at.At(fmt.Sprintf("[%d]", i))
				item.Problem("", "%s: the target does not know things by %q (known: %s)", item.Label(), m.Key, strings.Join(about.Keys[of], ", "))
			}
		}
		if d.Match == nil {
			d.Match = map[directory.RecordKind][]MatchKey{}
		}
		d.Match[of] = k.Match[kind]
	}
	for _, field := range slices.Sorted(maps.Keys(k.References)) {
		if !slices.Contains(about.References, field) {
			v.Get("references").Get(field).KeyProblem("", "references: the target knows no %q as a thing (known: %s)", field, cmp.Or(strings.Join(about.References, ", "), "none"))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(k.Leavers)) {
		at := v.Get("leavers").Get(kind)
		of, known := knownKind(at, kind, about)
		if !known {
			continue
		}
		leaver := k.Leavers[kind]
		oneOf(at.Get("do"), leaver.Do, []string{"deactivate", "delete", "review", "keep"})
		oneOf(at.Get("open_tickets"), leaver.OpenTickets, []string{"wait", "go"})
		if d.Leavers == nil {
			d.Leavers = map[directory.RecordKind]Leaver{}
		}
		d.Leavers[of] = leaver
	}
	for _, what := range slices.Sorted(maps.Keys(k.Guard)) {
		at, limit := v.Get("guard").Get(what), k.Guard[what]
		if !slices.Contains(deskClasses(), what) {
			at.KeyProblem("", "guard: unknown word %q (known: %s)", what, strings.Join(deskClasses(), ", "))
		}
		if limit.Count != nil && *limit.Count < 0 {
			at.Get("count").Problem("", "guard.%s.count: must not be less than 0", what)
		}
		if limit.Percent != nil && !(*limit.Percent >= 0 && *limit.Percent <= 100) {
			at.Get("percent").Problem("", "guard.%s.percent: %v is not between 0 and 100", what, *limit.Percent)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(k.Interim)) {
		interim(v.Get("interim").Get(field), field, k.Interim[field])
	}
	if k.Settle < 0 {
		v.Get("settle").Problem("", "settle: must not be less than 0")
	}
	if k.Audit != nil {
		d.Audit = k.Audit.audit(v.Get("audit"))
	}
	return d
}

// interim checks a value for a while. One that is an address must be one that no mail can reach (RFC 2606 section 2).
func interim(v strict.Value, field, text string) {
	_, host, address := strings.Cut(text, "@")
	switch {
	case !isField(field):
		v.KeyProblem("", "interim: %q is not the name of a field", field)
	case !strings.Contains(text, "*"):
		v.Problem("write * where a word of the record's own is to stand: swap-*", "interim.%s: would be the same for two records", field)
	case address && host != "invalid" && !strings.HasSuffix(host, ".invalid"), !address && strings.Contains(field, "mail"):
		v.Problem(`write an address that no mail can reach: "*@interim.invalid"`, "interim.%s: mail to it might reach somebody", field)
	}
}

// audit checks the block audit.
func (k *auditKeys) audit(v strict.Value) *Audit {
	a := &Audit{Schedule: k.Schedule, Repair: k.Repair, Fields: k.Fields}
	a.Times = readSchedule(v.Get("schedule"), k.Schedule, "")
	for i, word := range k.Repair {
		item, _ := v.Get("repair").At(fmt.Sprintf("[%d]", i))
		if word == "fields" {
			item.Problem("fields: [title, department] names those that are always as the source has them", "audit.repair: fields are named, not all of them are put right")
			continue
		}
		oneOf(item, word, []string{"missing", "active", "members"})
	}
	for i, name := range k.Fields {
		if item, _ := v.Get("fields").At(fmt.Sprintf("[%d]", i)); !isField(name) {
			item.Problem("", "audit.fields: %q is not the name of a field", name)
		}
	}
	return a
}

func deskClasses() []string { return []string{"create", "adopt", "overwrite", "deactivate"} }

func oneOf(v strict.Value, has string, known []string) {
	if has != "" && !slices.Contains(known, has) {
		v.Problem("", "%s: unknown word %q (known: %s)", v.Label(), has, strings.Join(known, ", "))
	}
}

func knownKind(at strict.Value, word string, about About) (directory.RecordKind, bool) {
	kind, ok := directory.ParseRecordKind(word)
	if _, takes := about.Keys[kind]; !ok || !takes {
		var known []string
		for _, k := range directory.RecordKinds() {
			if _, takes := about.Keys[k]; takes {
				known = append(known, k.String())
			}
		}
		at.KeyProblem("", "the target knows no %q (known: %s)", word, strings.Join(known, ", "))
		return 0, false
	}
	return kind, true
}
