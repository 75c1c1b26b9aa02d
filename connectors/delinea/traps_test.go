package delinea

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/delineasim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// TestTraps: what is wrong with an answer ends the read, and proves nothing.
func TestTraps(t *testing.T) {
	for name, tc := range map[string]struct {
		fault delineasim.Fault
		class fault.Class // "": the read goes on to its end
		says  string
	}{
		"no success":             {delineasim.Fault{Kind: delineasim.Silent}, fault.Invalid, "whether the call succeeded"},
		"refused":                {delineasim.Fault{Kind: delineasim.Refuse, Body: "no such column: Title"}, fault.Invalid, "no such column: Title"},
		"no right":               {delineasim.Fault{Kind: delineasim.Refuse, Body: "You are not authorized to perform this."}, fault.Forbidden, "not authorized"},
		"a passing error":        {delineasim.Fault{Kind: delineasim.Soft, Body: "Busy."}, fault.Transient, "Busy."},
		"null":                   {delineasim.Fault{Kind: delineasim.Null}, fault.Invalid, "not a list"},
		"no count":               {delineasim.Fault{Kind: delineasim.NoCount}, fault.Invalid, "FullCount"},
		"a row is null":          {delineasim.Fault{Kind: delineasim.NullRow}, fault.Invalid, "row 1 is none"},
		"empty":                  {delineasim.Fault{Kind: delineasim.Empty}, fault.Transient, "empty"},
		"a portal":               {delineasim.Fault{Kind: delineasim.Portal}, fault.Transient, "not JSON"},
		"cut":                    {delineasim.Fault{Kind: delineasim.Cut}, fault.Transient, "cut short"},
		"reset":                  {delineasim.Fault{Kind: delineasim.Reset}, fault.Transient, ""},
		"once reset":             {delineasim.Fault{Kind: delineasim.Reset, Times: 1}, "", ""},
		"throttled":              {delineasim.Fault{Status: 429, Body: "{}"}, fault.Throttled, "429"},
		"busy once":              {delineasim.Fault{Status: 503, Body: "{}", Times: 1, Skip: 1}, "", ""},
		"not there":              {delineasim.Fault{Status: 404, Body: "{}"}, fault.Configuration, "404"},
		"forbidden":              {delineasim.Fault{Status: 403, Body: "{}"}, fault.Forbidden, "403"},
		"a row is missing":       {delineasim.Fault{Kind: delineasim.Missing}, fault.Transient, "by its own count"},
		"rows shift for ever":    {delineasim.Fault{Kind: delineasim.Drift}, fault.Transient, "changed while it was read"},
		"a row goes meanwhile":   {delineasim.Fault{Kind: delineasim.Shrink}, fault.Transient, "changed while it was read"},
		"rows shift once":        {delineasim.Fault{Kind: delineasim.Drift, Skip: 1, Times: 1}, "", ""},
		"pages repeat":           {delineasim.Fault{Kind: delineasim.Repeat}, fault.Transient, "by its own count"},
		"the second page broken": {delineasim.Fault{Kind: delineasim.Null, Skip: 1}, fault.Invalid, "page 2"},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, delineasim.Options{People: 50, Roles: 5}, nil)
			b.tenant.Break(tc.fault)
			g := b.full(streamUsers)
			if tc.class == "" {
				if g.err != nil || len(g.objects) != 50 {
					t.Errorf("%d people, %v", len(g.objects), g.err)
				}
				return
			}
			if fault.ClassOf(g.err) != tc.class || g.last != nil || !strings.Contains(g.err.Error(), tc.says) {
				t.Errorf("class %s, %v; want %s with %q", fault.ClassOf(g.err), g.err, tc.class, tc.says)
			}
			if (tc.class == fault.Forbidden || tc.class == fault.Configuration || tc.class == fault.Invalid) && fault.Hint(g.err) == "" {
				t.Errorf("%v says nothing of what to do", g.err)
			}
		})
	}
}

// TestToken: a token that is revoked is replaced once, and the client says who it is as the product wants it.
func TestToken(t *testing.T) {
	for _, product := range []bool{false, true} {
		b := start(t, delineasim.Options{People: 5, Centrify: product}, nil)
		if g := b.full(streamUsers); g.err != nil {
			t.Fatal(g.err)
		}
		b.tenant.RevokeTokens()
		if g := b.full(streamUsers); g.err != nil || len(g.objects) != 5 {
			t.Errorf("after a revocation: %v", g.err)
		}
		b.tenant.Lock()
		if g := b.full(streamUsers); fault.ClassOf(g.err) != fault.Auth || !strings.Contains(fault.Hint(g.err), "client_id") {
			t.Errorf("a locked client: %v (%s)", g.err, fault.Hint(g.err))
		}
	}
}

// TestNativeHeader: without the header the tenant refuses every call, and the hint says so.
func TestNativeHeader(t *testing.T) {
	b := start(t, delineasim.Options{People: 5}, func(c *Config) { c.NativeClient = "" })
	if g := b.full(streamUsers); fault.ClassOf(g.err) != fault.Forbidden || !strings.Contains(fault.Hint(g.err), "native_client") {
		t.Errorf("%v (%s)", g.err, fault.Hint(g.err))
	}
}

// TestLimit: a tenant that cuts lists where the argument Limit says, and counts what is left, is found out.
func TestLimit(t *testing.T) {
	b := start(t, delineasim.Options{People: 50, Cap: true}, nil)
	if g := b.full(streamUsers); fault.ClassOf(g.err) != fault.Configuration || !strings.Contains(fault.Hint(g.err), "delinea.limit") {
		t.Errorf("%d people, %v", len(g.objects), g.err)
	}
	b = start(t, delineasim.Options{People: 50, Cap: true}, func(c *Config) { c.Limit = 1000 })
	if g := b.full(streamUsers); g.err != nil || len(g.objects) != 50 {
		t.Errorf("with a higher limit: %d people, %v", len(g.objects), g.err)
	}
	b = start(t, delineasim.Options{People: 20}, nil)
	if g := b.full(streamUsers); g.err != nil || len(g.objects) != 20 {
		t.Errorf("exactly as many as the limit: %d people, %v", len(g.objects), g.err)
	}
}

// TestNobody: a tenant that shows nobody is one whose client has no rights.
func TestNobody(t *testing.T) {
	b := start(t, delineasim.Options{}, nil)
	if g := b.full(streamUsers); fault.ClassOf(g.err) != fault.Forbidden {
		t.Errorf("%v", g.err)
	}
}

// TestMembers: ids are compared in any case; groups of directories are told of; who is neither is somebody unknown.
func TestMembers(t *testing.T) {
	b := start(t, delineasim.Options{People: 30, Roles: 3}, nil)
	roles := b.tenant.Roles()
	b.tenant.AddMember(roles[0], roles[1], "Role")
	b.tenant.AddMember(roles[0], "some-group", "Group")
	b.tenant.AddMember(roles[2], "odd", "Robot")
	b.tenant.AddMember(roles[1], "twice", "User")
	b.tenant.AddMember(roles[1], "twice", "User")
	g := b.full(streamGroups)
	if g.err != nil {
		t.Fatal(g.err)
	}
	list := g.members[roles[0]]
	person := b.full(streamUsers).objects[b.tenant.People()[12]] // its id has letters
	if !slices.Contains(list, person.Handles[0]) || !slices.Contains(list, g.objects[roles[1]].Handles[0]) || len(list) != 31 {
		t.Errorf("members of a role: %v", list)
	}
	if !slices.Contains(g.members[roles[1]], "user:twice") {
		t.Errorf("somebody who is listed twice: %v", g.members[roles[1]])
	}
	if len(g.invalid) != 1 || g.invalid[0].ID != roles[2] || g.members[roles[2]] != nil {
		t.Errorf("a role with an unknown member: %+v", g.invalid)
	}
	if len(g.notes) != 1 || !strings.HasPrefix(g.notes[0], "1 roles hold groups") {
		t.Errorf("notes: %q", g.notes)
	}
	everybody := g.objects["Everybody"]
	if len(person.Links) != 1 || !slices.Contains(everybody.Handles, person.Links[0].To) {
		t.Errorf("everybody is in Everybody: %v, %v", person.Links, everybody.Handles)
	}
	if _, ok := g.objects["computed"]; ok {
		t.Error("a computed role is read although nobody knows its members")
	}
	if g := start(t, delineasim.Options{People: 3, Roles: 1}, func(c *Config) { c.ScriptRoles = true }).full(streamGroups); g.err != nil || g.members["computed"] == nil && len(g.members) != 2 {
		t.Errorf("with script_roles: %v, %v", g.err, g.members)
	}
}

// TestMembersRefused: one role whose members are refused keeps those that it had; when it is all of them, the read fails.
func TestMembersRefused(t *testing.T) {
	b := start(t, delineasim.Options{People: 30, Roles: 25}, nil)
	b.tenant.Break(delineasim.Fault{Kind: delineasim.Refuse, Path: callMembers, Skip: 3, Times: 1, Body: "The role is odd."})
	if g := b.full(streamGroups); g.err != nil || len(g.invalid) != 1 || g.invalid[0].ID == "" || len(g.members) != 24 {
		t.Errorf("one refused: %v, %+v", g.err, g.invalid)
	}
	b.tenant.Mend()
	b.tenant.Break(delineasim.Fault{Kind: delineasim.Refuse, Path: callMembers, Body: "The role is odd."})
	if g := b.full(streamGroups); g.err == nil {
		t.Error("all refused, and the read went on")
	}
	b.tenant.Mend()
	b.tenant.Deny("members")
	if g := b.full(streamGroups); fault.ClassOf(g.err) != fault.Forbidden {
		t.Errorf("no right: %v", g.err)
	}
}

// TestByID: who is there is read, whom the table does not show is neither listed nor removed, and no id can be more than a value in a script.
func TestByID(t *testing.T) {
	b := start(t, delineasim.Options{People: 5}, nil)
	id := b.tenant.People()[2]
	g := b.read(connectors.Request{Stream: streamUsers, Mode: connectors.ByID, IDs: []string{id, "nobody", "' OR ID <> '"}})
	if g.err != nil || len(g.objects) != 1 || g.objects[id].ID == "" || len(g.last.Removed) > 0 {
		t.Errorf("%v, %v", g.err, g.objects)
	}
	last := b.full(streamUsers).last
	if there, err := last.Look(t.Context(), []string{id, "nobody"}); err != nil || !slices.Equal(there, []string{id}) {
		t.Errorf("looked for: %v, %v", there, err)
	}
	if _, err := last.Look(t.Context(), []string{"' OR ID <> '"}); err == nil {
		t.Error("an id that is none was asked for")
	}
}

// TestPerson: fields of both tables.
func TestPerson(t *testing.T) {
	for name, tc := range map[string]struct {
		options delineasim.Options
		edit    func(*Config)
		want    string
	}{
		"User": {delineasim.Options{}, func(c *Config) {
			c.Attributes, c.LastLogin = []string{"SourceDsType"}, true
			c.Fields = map[string]settingsNames{directory.FieldTitle: {"Missing", "Title"}}
		}, "attributes.SourceDsType=CDS email=user1@example.test emails=user1@example.test enabled=true last_login=2026-03-02T07:00:00Z login=user1@example.test name=User 1 status=Active title=Analyst"},
		"DSUsers": {delineasim.Options{Words: true}, func(c *Config) { c.Table = tableDirectories },
			"email=user1@example.test emails=user1@example.test enabled=true login=user1@example.test name=User 1 status=Active"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.options.People = 6
			b := start(t, tc.options, tc.edit)
			if name == "User" {
				// A column that the table does not have is the tenant's error, in its words.
				if g := b.full(streamUsers); fault.ClassOf(g.err) != fault.Invalid || !strings.Contains(g.err.Error(), "no such column: Missing") {
					t.Fatalf("%v", g.err)
				}
				b = start(t, tc.options, func(c *Config) {
					tc.edit(c)
					c.Fields = map[string]settingsNames{directory.FieldTitle: {"Title"}}
				})
			}
			g := b.full(streamUsers)
			if g.err != nil {
				t.Fatal(g.err)
			}
			o := g.objects[b.tenant.People()[1]]
			var fields []string
			for _, f := range o.Fields {
				fields = append(fields, fmt.Sprintf("%s=%s", f.Name, f.Value))
			}
			if text := strings.Join(fields, " "); text != tc.want {
				t.Errorf("got  %s\nwant %s", text, tc.want)
			}
			suspended := g.objects[b.tenant.People()[5]]
			if enabled, _ := suspended.Get(directory.FieldEnabled); enabled.Bool() {
				t.Error("somebody who is suspended is enabled")
			}
		})
	}
}
