package proof

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/connectors/distinct"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settings"
)

// offices are a connection with people in memory, run as any other, of whose records sites and customers are made.
type offices struct {
	t      *testing.T
	rig    *rig
	source *memory.Source
	conn   *engine.Connection
	named  int
	undo   []func()
	edit   func(*distinct.Config)
}

func distinctWorld(t *testing.T) *world {
	o := &offices{t: t, rig: newRig(t, nil), source: memory.NewSource()}
	field := func(name, value string) mapping.FieldSpec {
		return mapping.FieldSpec{Name: name, Value: mapping.ValueSpec{Value: value}, Blank: mapping.ClearBlank}
	}
	rules, problems := mapping.Compile(mapping.Spec{Name: "staff", Rules: []mapping.RuleSpec{{Name: "all", Records: map[directory.RecordKind][]mapping.FieldSpec{
		directory.UserRecord: {field("name", "= name"), field("customer", "= company"), field("site", "= office")}}}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	share := 20.0
	o.rig.engine = engine.New(o.rig.store, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, Sleep: instantly})
	o.conn = &engine.Connection{Name: "staff", Connector: "memory", Rules: rules, Followed: true, FollowedFields: []string{"customer", "site"},
		Guard:  plan.Guard{directory.Deactivate: plan.Limit{Percent: &share, Minimum: 5}},
		Source: connectors.Guard(memory.Open(o.source, memory.Options{PageSize: 10, WithoutCount: true}))}
	for i := range 40 {
		o.person(i, fmt.Sprint("Company ", i%3), fmt.Sprint("Office ", i%9))
	}
	o.person(40, "Company 0", "Of one person")
	o.read()
	return &world{
		name: "distinct", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := distinct.Defaults()
			cfg.From = settings.Names{"staff"}
			cfg.Make = map[string]distinct.Make{"customer": {Value: "customer"}, "site": {Value: "site", Within: "customer"}}
			if o.edit != nil {
				o.edit(cfg)
			}
			if issues := cfg.Validate(); len(issues) > 0 {
				t.Fatal(issues)
			}
			env.Stored = o.rig.store
			c, err := distinct.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
		join:   func(*testing.T) { o.named++; o.person(1000+o.named, "Company 1", "A new one"); o.read() },
		leave:  func(*testing.T) { o.leave(40); o.read() },
		change: o.change,
		hurt:   o.hurt,
		mend: func() {
			o.edit = nil
			for _, f := range o.undo {
				f()
			}
			o.undo = nil
		},
	}
}

func (o *offices) person(n int, company, office string) {
	p := directory.Object{Kind: directory.Person, ID: fmt.Sprint(n)}
	p.SetText("name", fmt.Sprint("P", n))
	p.SetText("company", company)
	p.SetText("office", office)
	o.source.Put("", p)
}

func (o *offices) leave(n int) {
	o.source.Remove("", directory.Ref{Kind: directory.Person, ID: fmt.Sprint(n)})
}

// read runs the connection.
func (o *offices) read() []engine.Result {
	return o.rig.engine.RunConnection(context.Background(), o.conn, engine.Job{})
}

// change has somebody come, leave, move, or write the same office in another way.
func (o *offices) change(_ *testing.T, rnd *rand.Rand) bool {
	n := rnd.IntN(60)
	company, office := fmt.Sprint("Company ", rnd.IntN(4)), fmt.Sprint("Office ", rnd.IntN(15))
	switch rnd.IntN(6) {
	case 0:
		o.leave(n)
	case 1:
		o.person(n, company, fmt.Sprintf("  OFFICE   %d", rnd.IntN(15)))
	case 2:
		o.person(n, company, "n/a")
	case 3:
		o.person(n, "", office)
	default:
		o.person(n, company, office)
	}
	o.read()
	return true
}

// hurt is what can go wrong with those of whose records something is made.
func (o *offices) hurt(t *testing.T, w *wrong) {
	t.Helper()
	switch w.kind {
	case "half": // the directory answers with less than everybody, and its guard holds that
		var gone []directory.Object
		for i, ref := range o.source.Refs("", directory.Person) {
			if i%2 == 0 {
				p, _ := o.source.Get("", ref)
				gone = append(gone, p)
				o.source.Remove("", ref)
			}
		}
		o.undo = append(o.undo, func() { o.source.Put("", gone...); o.read() })
		o.read()
	case "broken": // it cannot be read
		o.source.Break(fmt.Errorf("down"))
		o.undo = append(o.undo, func() { o.source.Break(nil); o.read() })
		o.read()
	case "other-field": // another field is named by mistake
		o.edit = func(cfg *distinct.Config) { cfg.Make["site"] = distinct.Make{Value: "town", Within: "customer"} }
	case "other-kind": // records that there are none of
		o.edit = func(cfg *distinct.Config) { cfg.Of = settings.Names{"agent"} }
	case "other-connection": // one that was never settled
		o.edit = func(cfg *distinct.Config) { cfg.From = settings.Names{"nobody"} }
	default:
		t.Fatalf("line %d: offices do not know %q", w.line, w.kind)
	}
}
