package event

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/directory"
)

var update = flag.Bool("update", false, "write the golden file anew")

func origin(id string) directory.Origin {
	return directory.Origin{Connection: "hq-ad", Connector: "ldap", ID: id}
}

func action(op directory.Op, kind directory.RecordKind, key, id string) directory.Action {
	return directory.Action{
		Key: key, Op: op, Kind: kind, Record: origin(id).RecordKey(), Origin: origin(id),
		Rule: "everyone else", Run: "20260131T081500Z-1", Time: time.Date(2026, 1, 31, 8, 15, 0, 0, time.UTC),
	}
}

func person(name, email, site string) []directory.Field {
	return []directory.Field{
		{Name: "customer", Value: directory.Text("Acme")},
		{Name: "email", Value: directory.Text(email)},
		{Name: "name", Value: directory.Text(name)},
		{Name: "site", Value: directory.Text(site)},
	}
}

// examples are the events that docs/events.md shows, by the name under which it shows them.
func examples() map[string]directory.Action {
	const ada, grp = "5f1c2a9e-0b7d-4c55-9a51-2f6f7f0f8a10", "b2d0c7a4-5a0e-4a7e-8f0c-1f8f3f6d9b21"

	create := action(directory.Create, directory.UserRecord, "q3v2k7x5m4a6t2bqyh7wz6c3dnflre4s", ada)
	create.Fields = person("Ada King", "ada@acme.example", "Head office")

	change := action(directory.Update, directory.UserRecord, "h5mzk2q7w3y4nd6fctx2abjvr7e4us3p", ada)
	change.Fields = person("Ada Lovelace", "ada@acme.example", "London")
	change.Changes = []directory.FieldChange{
		{Name: "name", From: directory.Text("Ada King"), To: directory.Text("Ada Lovelace")},
		{Name: "site", From: directory.Null(), To: directory.Text("London")},
	}

	leave := action(directory.Deactivate, directory.UserRecord, "xk4d7r2c6h3qv5wnzt2yabf7mjeu4s3p", ada)
	leave.Fields = person("Ada Lovelace", "ada@acme.example", "London")
	leave.Reason = "removed at the source"

	back := action(directory.Reactivate, directory.UserRecord, "c7x2n5kq4zw3hvd6ryt2abf7mjeu4s3p", ada)
	back.Fields = person("Ada Lovelace", "ada@acme.example", "Leeds")
	back.Changes = []directory.FieldChange{{Name: "site", From: directory.Text("London"), To: directory.Text("Leeds")}}

	gone := action(directory.Delete, directory.UserRecord, "m2w6x3k7q5zc4hvdnryt2abf7jeu4s3p", ada)
	gone.Fields = person("Ada Lovelace", "ada@acme.example", "Leeds")
	gone.Reason = "no longer listed by the source"

	was := action(directory.Deactivate, directory.UserRecord, "t6x3w2k7q5zc4hvdnrym2abf7jeu4s3p", ada)
	was.Fields = person("Ada Lovelace", "ada@acme.example", "Leeds")
	was.Reason, was.Other = "became agent", directory.Subject(directory.AgentRecord, was.Record)

	becomes := action(directory.Create, directory.AgentRecord, "z5x3w2k7q6tc4hvdnrym2abf7jeu4s3p", ada)
	becomes.Rule = "service desk"
	becomes.Fields = []directory.Field{
		{Name: "name", Value: directory.Text("Ada Lovelace")},
		{Name: "role", Value: directory.Text("Technician")},
		{Name: "team", Value: directory.Text("1st Line")},
	}
	becomes.Reason, becomes.Other = "was user", directory.Subject(directory.UserRecord, was.Record)

	again := action(directory.Create, directory.UserRecord, "r3v2k7x5m4a6t2bqyh7wz6c3dnflre4s", ada)
	again.Fields, again.Reason = person("Ada Lovelace", "ada@acme.example", "London"), directory.SentAgain

	group := action(directory.Update, directory.GroupRecord, "v4x3w2k7q5zc6hvdnrym2abf7jetu4s3", grp)
	group.Rule = "mailing lists"
	group.Fields = []directory.Field{{Name: "name", Value: directory.Text("All staff")}}
	group.Sets = []directory.SetChange{{
		Name: "members", Added: []string{"hq-ad/5f1c2a9e-0b7d-4c55-9a51-2f6f7f0f8a10"},
		Removed: []string{"hq-ad/0a7f9f5e-9f5c-4b6f-8a5e-3c1d2b4a6e70", "hq-ad/77e1d6c2-6f0b-4d0e-b6b4-9d8c7b6a5f43"},
	}}

	return map[string]directory.Action{
		"create": create, "update": change, "deactivate": leave, "reactivate": back, "delete": gone,
		"kind change, first": was, "kind change, second": becomes, "set": group, "sent again": again,
	}
}

// everything is an action with all that an action can have, and with texts that JSON must escape.
func everything() directory.Action {
	a := action(directory.Update, directory.UserRecord, "aaaa", `a"b\c/é`)
	a.Origin.Tenant = "contoso"
	a.Record = a.Origin.RecordKey()
	a.Reason, a.Other = "tab\tand\x00nul\x7f", "agent/x"
	a.Fields = []directory.Field{
		{Name: "blank", Value: directory.Text("")},
		{Name: "created", Value: directory.Time(time.Date(2020, 2, 29, 12, 0, 1, 0, time.UTC))},
		{Name: "emails", Value: directory.List("b@x", "a@x")},
		{Name: "enabled", Value: directory.Bool(true)},
		{Name: "gone", Value: directory.Null()},
		{Name: "lines", Value: directory.Text("one\r\ntwo\u2028three\u2029four\u0085five")},
		{Name: "none", Value: directory.List()},
		{Name: "number", Value: directory.Number(-42)},
		{Name: "wide", Value: directory.Text("日本語 👩‍🔧 <&>")},
	}
	a.Changes = []directory.FieldChange{
		{Name: "emails", From: directory.List("b@x"), To: directory.List("a@x", "b@x")},
		{Name: "enabled", From: directory.Bool(false), To: directory.Bool(true)},
		{Name: "members", From: directory.Text("shadowed by the set"), To: directory.Null()},
	}
	a.Sets = []directory.SetChange{{Name: "members", Added: []string{"x"}}}
	return a
}

func TestGolden(t *testing.T) {
	a := everything()
	got := append(Append(nil, &a, nil), '\n')
	file := filepath.Join("testdata", "everything.json")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// asJSON is what Append must mean, by way of encoding/json.
func asJSON(a *directory.Action) map[string]any {
	record, changes := map[string]any{}, map[string]any{}
	for _, f := range a.Fields {
		record[f.Name] = f.Value
	}
	for _, c := range a.Changes {
		changes[c.Name] = map[string]any{"from": c.From, "to": c.To}
	}
	for _, s := range a.Sets {
		changes[s.Name] = map[string]any{"added": append([]string{}, s.Added...), "removed": append([]string{}, s.Removed...)}
	}
	data := map[string]any{
		"op": a.Op.String(), "kind": a.Kind.String(), "key": a.Record, "record": record,
		"origin": a.Origin, "rule": a.Rule, "run": a.Run,
	}
	if len(changes) > 0 {
		data["changes"] = changes
	}
	if a.Reason != "" {
		data["reason"] = a.Reason
	}
	switch {
	case a.Other != "" && a.Op.Removes():
		data["replaced_by"] = a.Other
	case a.Other != "":
		data["replaces"] = a.Other
	}
	event := map[string]any{
		"specversion": "1.0", "id": a.Key, "source": "dirsyncd/" + a.Origin.Connection, "type": Type(a.Kind, a.Op),
		"subject": directory.Subject(a.Kind, a.Record), "datacontenttype": "application/json", "data": data,
	}
	if !a.Time.IsZero() {
		event["time"] = a.Time.Format(time.RFC3339)
	}
	return event
}

func checkMeaning(t *testing.T, a *directory.Action) {
	t.Helper()
	line := Append(nil, a, nil)
	if !json.Valid(line) {
		t.Fatalf("not JSON: %s", line)
	}
	if bytes.ContainsAny(line, "\n\r\u2028\u2029\u0085") {
		t.Errorf("more than one line: %q", line)
	}
	reference, err := json.Marshal(asJSON(a))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := canonical(t, line), canonical(t, reference); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func canonical(t *testing.T, data []byte) string {
	t.Helper()
	var x any
	if err := json.Unmarshal(data, &x); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestMeansTheSameAsEncodingJSON(t *testing.T) {
	all := everything()
	checkMeaning(t, &all)
	all.Origin.Import = directory.ImportUpdateOnly
	checkMeaning(t, &all)
	empty := directory.Action{Op: directory.Create, Kind: directory.UserRecord}
	checkMeaning(t, &empty)
	for name, a := range examples() {
		t.Run(name, func(t *testing.T) { checkMeaning(t, &a) })
	}
}

func TestTypes(t *testing.T) {
	want := map[directory.Op]string{
		directory.Create: "created", directory.Update: "updated", directory.Deactivate: "deactivated",
		directory.Reactivate: "reactivated", directory.Delete: "deleted",
	}
	for _, op := range directory.Ops() {
		for _, kind := range directory.RecordKinds() {
			if got := Type(kind, op); got != "dirsyncd."+kind.String()+"."+want[op] {
				t.Errorf("Type(%v, %v) = %q", kind, op, got)
			}
		}
	}
}

func TestID(t *testing.T) {
	a := everything()
	line := Append(nil, &a, nil)
	if id, ok := ID(line); !ok || id != a.Key {
		t.Errorf("ID = %q, %v", id, ok)
	}
	for _, bad := range []string{"", "{", `{"specversion":"1.0","id":"aa`, `{"id":"a"}`, `{"specversion":"1.0","id":"a\"b"`} {
		if id, ok := ID([]byte(bad)); ok {
			t.Errorf("ID(%q) = %q", bad, id)
		}
	}
	for cut := range line {
		if !Torn(line[:cut]) {
			t.Fatalf("Torn(%q) = false", line[:cut])
		}
	}
	if Torn([]byte("root:x:0:0")) {
		t.Error("a stranger's line counts as torn")
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("k", "hq", "5f1c", "name", "Ada", "gone")
	f.Add("\x00", "\"", "\\", "\u2028", "\xff\xfe", "\xed\xa0\x80")
	f.Fuzz(func(t *testing.T, key, connection, id, name, text, reason string) {
		a := directory.Action{Key: key, Op: directory.Update, Kind: directory.UserRecord, Reason: reason}
		a.Origin = directory.Origin{Connection: connection, ID: id}
		a.Record = a.Origin.RecordKey()
		a.Fields = []directory.Field{{Name: name, Value: directory.Text(text)}}
		a.Changes = []directory.FieldChange{{Name: name, From: directory.List(text, id), To: directory.Text(text)}}
		checkMeaning(t, &a)
	})
}

// TestDocumentation keeps the examples of docs/events.md equal to what leaves.
func TestDocumentation(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, part := range strings.Split(string(doc), "<!-- event: ")[1:] {
		name, rest, _ := strings.Cut(part, " -->")
		_, rest, _ = strings.Cut(rest, "```json\n")
		shown[name], _, _ = strings.Cut(rest, "```")
	}
	for name, a := range examples() {
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(shown[name])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := string(Append(nil, &a, nil)); compact.String() != want {
			var pretty bytes.Buffer
			_ = json.Indent(&pretty, []byte(want), "", "  ")
			t.Errorf("docs/events.md, %s: it should show\n%s", name, pretty.String())
		}
		delete(shown, name)
	}
	for name := range shown {
		t.Errorf("docs/events.md shows %q, which no test knows", name)
	}
}

// TestTables holds the tables of docs/events.md to what leaves: every member of an event has a row and every row is a member, and all
// operations, kinds and sets are named.
func TestTables(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc := string(page)
	_, table, ok := strings.Cut(doc, "\n| member | meaning |\n|---|---|\n")
	table, _, end := strings.Cut(table, "\n\n")
	if !ok || !end {
		t.Fatal("docs/events.md has no table of members")
	}
	rows := map[string]string{}
	for _, line := range strings.Split(table, "\n") {
		cells := strings.SplitN(line, "|", 3)
		for _, name := range strings.Split(cells[1], ",") {
			rows[strings.Trim(name, " `")] = cells[2]
		}
	}
	// What the format says, and what every row about origin says, needs no row.
	known := map[string]bool{"specversion": true, "datacontenttype": true, "data": true}
	for _, a := range whole() {
		var members map[string]any
		if err := json.Unmarshal(Append(nil, &a, nil), &members); err != nil {
			t.Fatal(err)
		}
		data := members["data"].(map[string]any)
		for name := range data {
			known["data."+name] = true
		}
		for name := range members {
			known[name] = true
		}
		if origin := data["origin"].(map[string]any); origin["import"] != nil {
			known["data.origin.import"] = true
		}
	}
	for name := range known {
		if _, ok := rows[name]; !ok && !slices.Contains([]string{"specversion", "datacontenttype", "data"}, name) {
			t.Errorf("docs/events.md has no row for %s", name)
		}
	}
	for name := range rows {
		if !known[name] {
			t.Errorf("docs/events.md has a row for %s, which no event has", name)
		}
	}
	for _, op := range directory.Ops() {
		if past := pastTense(op); !strings.Contains(rows["type"], "."+past+"`") || !strings.Contains(rows["data.op"], "`"+op.String()+"`") {
			t.Errorf("docs/events.md does not name %s, %s", op, past)
		}
	}
	for _, kind := range directory.RecordKinds() {
		if !strings.Contains(rows["data.kind"], "`"+kind.String()+"`") {
			t.Errorf("docs/events.md does not name the kind %s", kind)
		}
	}
	_, sets, _ := strings.Cut(doc, "\n### Sets\n")
	sets, _, _ = strings.Cut(sets, "<!-- event")
	for _, name := range []string{"members", "holders"} { // plan.Decide's
		if !strings.Contains(sets, "`"+name+"`") {
			t.Errorf("docs/events.md does not say what is in the set %s", name)
		}
	}
	for _, kind := range []directory.Import{directory.ImportSync, directory.ImportCreateOnly, directory.ImportUpdateOnly} {
		if !strings.Contains(rows["data.origin.import"], "`"+string(kind)+"`") {
			t.Errorf("docs/events.md does not name the import %s", kind)
		}
	}
}

// whole are actions that have between them all that an event can say.
func whole() []directory.Action {
	a := action(directory.Update, directory.UserRecord, "k", "1")
	a.Fields = []directory.Field{{Name: "name", Value: directory.Text("Ada")}}
	a.Changes = []directory.FieldChange{{Name: "name", From: directory.Null(), To: directory.Text("Ada")}}
	a.Sets = []directory.SetChange{{Name: "members", Added: []string{"x"}}}
	a.Initial, a.Reason, a.Other, a.Origin.Import = true, "was user", "agent/hq-ad/1", directory.ImportSync
	b := a
	b.Op = directory.Deactivate
	return []directory.Action{a, b}
}

func BenchmarkAppend(b *testing.B) {
	a := examples()["update"]
	buf := Append(nil, &a, nil)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], &a, nil)
	}
}

func TestAttributes(t *testing.T) {
	a := directory.Action{Key: "k", Op: directory.Create, Kind: directory.UserRecord, Record: "hq/1"}
	var m map[string]any
	if err := json.Unmarshal(Append(nil, &a, Attributes{"environment": `a"b`, "site": "x"}.Extra()), &m); err != nil || m["environment"] != `a"b` || m["site"] != "x" || m["id"] != "k" {
		t.Errorf("%v, %v", m, err)
	}
	for name, good := range map[string]bool{"environment": true, "x1": true, "Tenant": false, "a-b": false, "": false, "id": false, "data": false, "abcdefghijklmnopqrstu": false} {
		reports := 0
		Attributes{name: "x"}.Validate(func(string, string, string, ...any) { reports++ })
		if (reports == 0) != good {
			t.Errorf("%q: %d reports", name, reports)
		}
	}
}

// TestInitial: what was there all the time says so, and nobody else.
func TestInitial(t *testing.T) {
	a := examples()["create"]
	if got := string(Append(nil, &a, nil)); strings.Contains(got, "initial") {
		t.Error(got)
	}
	a.Initial = true
	if got := string(Append(nil, &a, nil)); !strings.HasSuffix(got, `"run":"20260131T081500Z-1","initial":true}}`) {
		t.Error(got)
	}
}
