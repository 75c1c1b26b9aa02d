package proof

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
)

// rig runs one connection: a connector, the rules of everything, and a store of its own.
type rig struct {
	t      *testing.T
	store  *bolt.Store
	engine *engine.Engine
	conn   *engine.Connection
}

// newRig makes a rig. Nothing but proof keeps records from being removed in it: it has no guard.
func newRig(t *testing.T, source connectors.Connector) *rig {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return &rig{
		t: t, store: st,
		engine: engine.New(st, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now}),
		conn: &engine.Connection{
			Name: "proof", Source: source, Rules: everything(t), Guard: plan.Guard{}, Targets: []string{"journal"},
		},
	}
}

// everything is a mapping that shows all that a source tells of: whatever is wrong about an object, a membership
// or a link is wrong about a record, too.
func everything(t *testing.T) *mapping.Ruleset {
	t.Helper()
	return everythingWith(t, mapping.Leaver{})
}

// everythingWith is everything, with what becomes of leavers.
func everythingWith(t *testing.T, leaver mapping.Leaver) *mapping.Ruleset {
	t.Helper()
	field := func(name, value string) mapping.FieldSpec {
		return mapping.FieldSpec{
			Name: name, Value: mapping.ValueSpec{Value: value}, On: mapping.OnAlways, Blank: mapping.ClearBlank,
		}
	}
	all := func(kind directory.RecordKind, fields ...mapping.FieldSpec) []mapping.RuleSpec {
		return []mapping.RuleSpec{{Name: "all", Records: map[directory.RecordKind][]mapping.FieldSpec{kind: fields}}}
	}
	rules, problems := mapping.Compile(mapping.Spec{
		Name: "everything", Leavers: leaver.Do, DeleteAfter: leaver.DeleteAfter,
		Rules: all(directory.UserRecord, field("name", "= name"), field("login", "= login"), field("email", "= email"),
			field("title", "= title"), field("enabled", "= string(enabled ?? false)"), field("status", "= status"), field("path", "= path"),
			field("boss", "= manager.name"), field("groups", "= groups"), field("licences", "= licences"), field("photo", "= attributes.photo"),
			field("customer", "= customer.name"), field("site", "= site.name")),
		Groups:    all(directory.GroupRecord, field("name", "= name"), field("path", "= path")),
		Licences:  all(directory.LicenceRecord, field("name", "= name"), field("quantity", "= quantity"), field("used", "= used")),
		Devices:   all(directory.AssetRecord, field("name", "= name"), field("owner", "= owner.name")),
		Customers: all(directory.CustomerRecord, field("name", "= name"), field("domain", "= domain")),
		Sites:     all(directory.SiteRecord, field("name", "= name"), field("customer", "= customer.name")),
	})
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	return rules
}

// run runs every tenant once.
func (r *rig) run(job engine.Job) []engine.Result {
	r.t.Helper()
	return r.engine.RunConnection(r.t.Context(), r.conn, job)
}

// mustRun runs every tenant and demands that nothing failed.
func (r *rig) mustRun(what string, job engine.Job) []engine.Result {
	r.t.Helper()
	results := r.run(job)
	for _, res := range results {
		if res.Err != nil {
			r.t.Fatalf("%s: %s: %v", what, res.Partition, res.Err)
		}
	}
	return results
}

// records renders the active records of all tenants, a line each, in order.
func (r *rig) records() []string {
	r.t.Helper()
	parts, err := r.store.Partitions(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []string
	for _, p := range parts {
		err := r.store.View(r.t.Context(), p, func(tx store.Reader) error {
			ids, err := idsOf(tx)
			if err != nil {
				return err
			}
			for _, kind := range directory.RecordKinds() {
				err := tx.Records(kind, 0, func(_ store.Num, rec directory.Record) bool {
					if rec.Active {
						lines = append(lines, render(kind, &rec, ids))
					}
					return true
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	slices.Sort(lines)
	return lines
}

func idsOf(tx store.Reader) (map[uint32]string, error) {
	ids := map[uint32]string{}
	var bad error
	err := tx.Rows(directory.Person, 0, func(row store.Row) bool {
		o, err := directory.ParseObject(row.Data)
		ids[uint32(row.Num)], bad = o.ID, err
		return err == nil
	})
	if err == nil {
		err = bad
	}
	return ids, err
}

func render(kind directory.RecordKind, rec *directory.Record, ids map[uint32]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", kind, rec.Key)
	for _, f := range rec.Fields {
		if !f.Value.Blank() {
			fmt.Fprintf(&b, " %s=%v", f.Name, f.Value)
		}
	}
	members := make([]string, len(rec.Members))
	for i, m := range rec.Members {
		members[i] = ids[m]
	}
	slices.Sort(members)
	if len(members) > 0 {
		fmt.Fprintf(&b, " %v", members)
	}
	return b.String()
}

// differences says what two lists of records do not share, in at most a few lines.
func differences(got, want []string) string {
	var b strings.Builder
	shown := 0
	side := func(sign string, a, other []string) {
		for _, line := range a {
			if _, ok := slices.BinarySearch(other, line); !ok && shown < 20 {
				fmt.Fprintf(&b, "%s %s\n", sign, line)
				shown++
			}
		}
	}
	side("+", got, want)
	side("-", want, got)
	return b.String()
}
