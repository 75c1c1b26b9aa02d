package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
)

// rewriter is a rig on a source that rewrites references to whoever is renamed or deleted, of which no delta tells.
type rewriter struct {
	*rig
	source *memory.Source
	asked  []string // the modes and streams of all reads
	// before is called before every read.
	before func(connectors.Request)
	now    time.Time
}

// watched is the source's connector.
type watched struct {
	connectors.Connector
	r *rewriter
}

func (w watched) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	w.r.asked = append(w.r.asked, req.Mode.String()+" "+req.Stream)
	if w.r.before != nil {
		w.r.before(req)
	}
	return w.Connector.Read(ctx, req, emit)
}

// newRewriter has people 0 to 9, all under 0; 1 is in inner, inner in desk, and who is in desk is an agent.
func newRewriter(t *testing.T) *rewriter {
	boss := field("boss", "= manager.name")
	boss.Blank = mapping.ClearBlank
	r := &rewriter{rig: newRig(t), source: memory.NewSource(), now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	r.mapping(mapping.Spec{Name: "m", Rules: []mapping.RuleSpec{agent("desk", `"desk" in groups`), user("everyone", "true")},
		Fields: map[directory.RecordKind][]mapping.FieldSpec{
			directory.UserRecord: {field("name", "= name"), boss}, directory.AgentRecord: {field("name", "= name"), boss}}})
	r.conn.Guard, r.conn.Source = nil, connectors.Guard(watched{memory.Open(r.source, memory.Options{Rewritten: "dn:"}), r})
	r.engine.opts.Now = func() time.Time { return r.now }
	r.engine.opts.Sleep = func(ctx context.Context, d time.Duration) error { r.now = r.now.Add(d); return ctx.Err() }
	for i := range 10 {
		r.person(fmt.Sprint(i), fmt.Sprint("dn:", i))
	}
	for id, member := range map[string]string{"inner": "dn:1", "desk": "dn:inner"} {
		o := directory.Object{Kind: directory.Group, ID: id, Handles: []string{"dn:" + id}}
		o.SetText(directory.FieldName, id)
		r.source.Put("", o)
		r.source.AddMembers("", id, member)
	}
	return r
}

func (r *rewriter) person(id, handle string) {
	o := directory.Object{Kind: directory.Person, ID: id, Handles: []string{handle}, Links: []directory.Link{{Type: directory.Manager, To: "dn:0"}}}
	o.SetText(directory.FieldName, "P"+id)
	r.source.Put("", o)
}

// rename gives an object another handle. The references to it are rewritten by rewrite.
func (r *rewriter) rename(kind directory.Kind, id, handle string) (rewrite func()) {
	ref := directory.Ref{Kind: kind, ID: id}
	o, _ := r.source.Get("", ref)
	r.source.Edit("", ref, func(o *directory.Object) { o.Handles = []string{handle} })
	return func() { r.source.Rewrite("", o.Handles[0], handle) }
}

// agrees runs once and compares with a fresh start.
func (r *rewriter) agrees(what string) Result {
	r.Helper()
	r.asked = nil
	_, res := r.sync()
	if res.Err != nil {
		r.Fatalf("%s: %v", what, res.Err)
	}
	r.agree(what)
	return res
}

func (r *rewriter) agree(what string) {
	r.Helper()
	fresh := newRig(r.T)
	fresh.mapping(r.spec)
	fresh.conn.Source = connectors.Guard(memory.Open(r.source, memory.Options{}))
	fresh.sync()
	if got, want := r.active(), fresh.active(); got != want {
		r.Errorf("%s:\n%s\na fresh start:\n%s", what, got, want)
	}
}

func (r *rewriter) referrersAsked() bool {
	return strings.Contains(strings.Join(r.asked, " "), "referrers")
}

func TestRenamesThatTheSourceRewrites(t *testing.T) {
	for name, change := range map[string]func(*rewriter){
		"an agent":       func(r *rewriter) { r.rename(directory.Person, "1", "dn:1a")() },
		"a nested group": func(r *rewriter) { r.rename(directory.Group, "inner", "dn:core")() },
		"a manager":      func(r *rewriter) { r.rename(directory.Person, "0", "dn:boss")() },
		"twice": func(r *rewriter) {
			r.rename(directory.Person, "1", "dn:1a")()
			r.rename(directory.Person, "1", "dn:1b")()
		},
		"all that there is": func(r *rewriter) {
			for i := range 10 {
				r.rename(directory.Person, fmt.Sprint(i), fmt.Sprint("dn:new", i))()
			}
			r.rename(directory.Group, "inner", "dn:core")()
			r.rename(directory.Group, "desk", "dn:table")()
		},
		"two that swap": func(r *rewriter) {
			r.rename(directory.Person, "1", "dn:between")()
			r.rename(directory.Person, "2", "dn:1")()
			r.rename(directory.Person, "1", "dn:2")()
		},
		"gone": func(r *rewriter) {
			r.source.Remove("", directory.Ref{Kind: directory.Person, ID: "1"})
			r.source.Rewrite("", "dn:1", "")
		},
		"gone, and another one under the name": func(r *rewriter) {
			r.source.Remove("", directory.Ref{Kind: directory.Person, ID: "1"})
			r.source.Rewrite("", "dn:1", "")
			r.person("new", "dn:1")
		},
		"from elsewhere, where they were listed under another name": func(r *rewriter) {
			r.source.Rewrite("", "dn:1", "dn:joined")
			r.person("joined", "dn:joined")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRewriter(t)
			r.agrees("first")
			change(r)
			r.agrees("then")
			for _, read := range r.asked {
				if strings.HasPrefix(read, "full") {
					t.Errorf("read %q", r.asked)
				}
			}
			// It is followed once more, when the source is done for certain, and then no more.
			r.now = r.now.Add(time.Hour)
			r.agrees("an hour later")
			if !r.referrersAsked() {
				t.Errorf("an hour later: read %q", r.asked)
			}
			r.agrees("idle")
			if r.referrersAsked() {
				t.Errorf("idle: read %q", r.asked)
			}
		})
	}
}

// A source may rewrite what refers to somebody a while after it has renamed him.
func TestRenamesThatTheSourceRewritesLater(t *testing.T) {
	r := newRewriter(t)
	r.agrees("first")
	rewrite := r.rename(directory.Person, "1", "dn:1a")
	slept := 0
	r.engine.opts.Sleep = func(context.Context, time.Duration) error { slept++; rewrite(); return nil }
	r.agrees("a moment later")
	if slept != 1 {
		t.Errorf("slept %d times", slept)
	}
	rewrite = r.rename(directory.Group, "inner", "dn:core")
	r.engine.opts.Sleep = func(context.Context, time.Duration) error { return nil }
	r.sync()
	rewrite()
	r.now = r.now.Add(time.Minute)
	r.agrees("in the next run")
}

// What a read that breaks off has seen of renames is followed by the next one, wherever it broke off.
func TestRenamesCutAnywhere(t *testing.T) {
	for n := 1; ; n++ {
		r := newRewriter(t)
		r.agrees("first")
		r.rename(directory.Person, "1", "dn:1a")()
		r.rename(directory.Person, "0", "dn:boss")()
		r.rename(directory.Group, "inner", "dn:core")()
		kept := r.engine.store
		r.engine.store = &cutStore{Store: kept, left: n, after: n%2 == 0}
		_, res := r.sync()
		r.engine.store = kept
		if res.Err == nil {
			return
		}
		if !errors.Is(res.Err, errCut) {
			t.Fatal(res.Err)
		}
		r.agrees(fmt.Sprint("cut at transaction ", n))
	}
}

// Where very many were renamed everything is read in full, and the operator is told why.
func TestRenamesOfMany(t *testing.T) {
	r := newRewriter(t)
	for i := 10; i < 1500; i++ {
		r.person(fmt.Sprint(i), fmt.Sprint("dn:", i))
	}
	r.agrees("first")
	for i := range 1500 {
		r.source.Edit("", directory.Ref{Kind: directory.Person, ID: fmt.Sprint(i)}, func(o *directory.Object) { o.Handles = []string{fmt.Sprint("dn:new", i)} })
	}
	r.source.Rewrite("", "dn:0", "dn:new0")
	r.source.Rewrite("", "dn:1", "dn:new1")
	res := r.agrees("many")
	if !strings.Contains(strings.Join(res.Run.Notes, " "), "read in full") || !strings.Contains(strings.Join(r.asked, " "), "full groups") {
		t.Errorf("read %q, notes %q", r.asked, res.Run.Notes)
	}
	r.agrees("idle")
	if strings.Contains(strings.Join(r.asked, " "), "full") || r.referrersAsked() {
		t.Errorf("idle: read %q", r.asked)
	}
	r.now = r.now.Add(time.Hour)
	r.agrees("an hour later")
	if !strings.Contains(strings.Join(r.asked, " "), "full") {
		t.Errorf("an hour later: read %q", r.asked)
	}
	r.agrees("idle again")
	if strings.Contains(strings.Join(r.asked, " "), "full") || r.referrersAsked() {
		t.Errorf("idle again: read %q", r.asked)
	}
}

// People are read before groups. Who is renamed, or comes, in between is in his groups at the end of the run all the same.
func TestRenamesWhileAReadIsRunning(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprint("full ", full), func(t *testing.T) {
			r := newRewriter(t)
			r.agrees("first")
			r.before = func(req connectors.Request) {
				if req.Stream == "groups" {
					r.before = nil
					r.rename(directory.Person, "1", "dn:1a")()
					r.source.AddMembers("", "inner", "dn:new", "dn:2") // so that the group is read
					r.person("new", "dn:new")
				}
			}
			r.job = Job{Full: full}
			r.agrees("renamed in between")
		})
	}
}

// When the people must be read in full, the groups tell what changed all the same, which is not all.
func TestRenamesWhereOneStreamIsReadInFull(t *testing.T) {
	r := newRewriter(t)
	r.agrees("first")
	r.source.Script(memory.Misbehaviour{What: memory.ExpiredCursor, Stream: "users", Times: 1})
	r.rename(directory.Person, "1", "dn:1a")()
	r.source.Remove("", directory.Ref{Kind: directory.Person, ID: "2"})
	r.source.AddMembers("", "desk", "dn:3")
	r.agrees("people in full")
}
