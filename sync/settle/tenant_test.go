package settle

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/store"
	"dirsyncd/store/bolt"
	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/relations"
)

const target = "journal"

// tenant is what is stored of a tenant, and what becomes of it.
type tenant struct {
	*testing.T
	task    Task
	store   store.Store
	part    store.Partition
	acted   []string // actions that were queued, in words
	parked  []string
	updates int // transactions
}

// newTenant is an empty tenant that was read to the end. Rules come from everything that has one.
func newTenant(t *testing.T, spec mapping.Spec) *tenant {
	t.Helper()
	st, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	r := &tenant{T: t, store: storetest.Strict(t, st), part: store.Partition{Connection: "hq"}}
	r.task = Task{
		Partition: r.part, State: r, Targets: []string{target}, Chunk: Chunk,
		Origin: directory.Origin{Connection: "hq", Connector: "test"}, Run: directory.Stamp{Run: "r1", Time: time.Unix(1_800_000_000, 0).UTC()},
		Queued: func(string) {}, Progress: func(int, int) {},
		Acted: func(a *directory.Action) { r.acted = append(r.acted, words(a)) },
		Parked: func(kind directory.Kind, id string, class fault.Class, _ ...any) {
			r.parked = append(r.parked, fmt.Sprint(kind, " ", id, " ", class))
		},
		Streams: []Stream{
			{"users", []directory.Kind{directory.Person}}, {"groups", []directory.Kind{directory.Group}}, {"licences", []directory.Kind{directory.Licence}},
			{"devices", []directory.Kind{directory.Device}},
		},
	}
	r.rules(spec)
	r.update(func(tx store.Writer) error {
		for _, s := range r.task.Streams {
			if err := tx.PutStream(s.Name, store.StreamState{Complete: r.task.Run.Time, Scope: "all"}); err != nil {
				return err
			}
		}
		return nil
	})
	return r
}

func (r *tenant) View(ctx context.Context, fn func(store.Reader) error) error {
	return r.store.View(ctx, r.part, fn)
}

func (r *tenant) Update(ctx context.Context, fn func(store.Writer) error) error {
	r.updates++
	return r.store.Update(ctx, r.part, fn)
}

func (r *tenant) update(fn func(store.Writer) error) {
	r.Helper()
	if err := r.store.Update(r.Context(), r.part, fn); err != nil {
		r.Fatal(err)
	}
}

func (r *tenant) view(fn func(store.Reader) error) {
	r.Helper()
	if err := r.store.View(r.Context(), r.part, fn); err != nil {
		r.Fatal(err)
	}
}

func (r *tenant) rules(spec mapping.Spec) {
	r.Helper()
	spec.Name, spec.Fields = "m", map[directory.RecordKind][]mapping.FieldSpec{}
	for kind, value := range map[directory.RecordKind]string{
		directory.UserRecord: "= name", directory.AgentRecord: "= name", directory.GroupRecord: "= name", directory.LicenceRecord: "= name", directory.AssetRecord: "= owner.name",
	} {
		if len(spec.Of(mapping.ObjectOf(kind))) > 0 {
			spec.Fields[kind] = []mapping.FieldSpec{{Name: "name", Value: mapping.ValueSpec{Value: value}, On: mapping.OnAlways, Blank: mapping.KeepBlank}}
		}
	}
	rules, problems := mapping.Compile(spec)
	if len(problems) > 0 {
		r.Fatalf("rules: %+v", problems)
	}
	r.task.Rules, r.task.SameRules = rules, false
}

// rule makes records of a kind of whatever a condition holds for.
func rule(when string, kind directory.RecordKind) []mapping.RuleSpec {
	return []mapping.RuleSpec{{Name: "rule", When: mapping.TextSpec{Text: when}, Records: map[directory.RecordKind][]mapping.FieldSpec{kind: {}}}}
}

// users makes a user of whomever a condition holds for.
func users(when string) mapping.Spec { return mapping.Spec{Rules: rule(when, directory.UserRecord)} }

// put stores an object as a read does, with its mark; links are written "manager:p:1".
func (r *tenant) put(kind directory.Kind, id, name string, links ...string) {
	r.Helper()
	o := &directory.Object{Kind: kind, ID: id, Handles: []string{handle(kind, id)}}
	o.SetText(directory.FieldName, name)
	for _, l := range links {
		word, to, _ := strings.Cut(l, ":")
		o.Links = append(o.Links, directory.Link{To: to, Type: map[string]directory.LinkType{
			"manager": directory.Manager, "in": directory.MemberOf, "holds": directory.Holds, "owner": directory.Owner,
		}[word]})
	}
	r.update(func(tx store.Writer) error {
		n, err := tx.PutRow(o, store.Here)
		if err != nil {
			return err
		}
		return tx.MarkDirty(kind, n, store.Changed)
	})
}

// handle is the other name of an object.
func handle(kind directory.Kind, id string) string { return kind.String()[:1] + ":" + id }

// people stores some by their ids, each with the id as name.
func (r *tenant) people(ids ...string) {
	for _, id := range ids {
		r.put(directory.Person, id, id)
	}
}

// group stores a group with its members by handle, in the place of those whom it had.
func (r *tenant) group(id string, members ...string) {
	r.Helper()
	r.put(directory.Group, id, id)
	n := r.num(id)
	r.update(func(tx store.Writer) error {
		var had []store.Num
		if err := tx.Members(n, func(h store.Num) bool { had = append(had, h); return true }); err != nil {
			return err
		}
		left, err := tx.RemoveMembers(n, had, nil)
		if err != nil {
			return err
		}
		handles, err := tx.Intern(members, nil)
		if err != nil {
			return err
		}
		came, err := tx.AddMembers(n, handles, nil)
		if err != nil {
			return err
		}
		return relations.Marker{}.Moved(tx, relations.Moved{Group: n, Handles: slices.Concat(left, came)})
	})
}

// gone says why objects are gone, as a read does.
func (r *tenant) gone(kind directory.Kind, cause store.GoneCause, ids ...string) {
	r.Helper()
	for _, id := range ids {
		n := r.num(id)
		r.update(func(tx store.Writer) error {
			if err := tx.SetGone(kind, n, cause); err != nil {
				return err
			}
			return relations.Marker{}.Gone(tx, kind, n)
		})
	}
}

// mark puts marks on an object.
func (r *tenant) mark(kind directory.Kind, id string, why store.DirtyReason) {
	r.Helper()
	n := r.num(id)
	r.update(func(tx store.Writer) error { return tx.MarkDirty(kind, n, why) })
}

func (r *tenant) num(id string) (n store.Num) {
	r.Helper()
	r.view(func(tx store.Reader) error {
		nums, err := tx.Lookup([]string{directory.IDHandle(id)}, nil)
		n = nums[0]
		return err
	})
	if n == 0 {
		r.Fatalf("%s is not stored", id)
	}
	return n
}

// id is the id of a number.
func (r *tenant) id(kind directory.Kind, n store.Num) (id string) {
	r.Helper()
	r.view(func(tx store.Reader) error {
		row, ok, err := tx.Row(kind, n)
		if err != nil || !ok {
			id = "nobody"
			return err
		}
		o, err := row.Object("test")
		id = o.ID
		return err
	})
	return id
}

// marks are the marked objects, in words.
func (r *tenant) marks() string {
	r.Helper()
	nums := map[directory.Kind][]store.Num{}
	r.view(func(tx store.Reader) error {
		for _, kind := range directory.Kinds() {
			nums[kind] = nil
			if err := tx.Dirty(kind, 0, func(n store.Num, _ store.DirtyReason) bool { nums[kind] = append(nums[kind], n); return true }); err != nil {
				return err
			}
		}
		return nil
	})
	var list []string
	for _, kind := range directory.Kinds() {
		for _, n := range nums[kind] {
			list = append(list, handle(kind, r.id(kind, n)))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// prepare is the first stage.
func (r *tenant) prepare() *Settlement {
	r.Helper()
	task := r.task
	s, err := Prepare(r.Context(), &task)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

// preview is the second.
func (r *tenant) preview() (*Settlement, Plan) {
	r.Helper()
	s := r.prepare()
	p, err := s.Preview(r.Context(), nil)
	if err != nil {
		r.Fatal(err)
	}
	return s, p
}

// settle goes through all stages, as the engine does, and returns what was queued, in words.
func (r *tenant) settle() (string, Plan) {
	r.Helper()
	r.acted, r.parked, r.updates = nil, nil, 0
	s, p := r.preview()
	r.task.Held, r.task.Approve = p.Held, ""
	if p.Held != nil && p.Whole {
		return "", p
	}
	if _, err := s.Apply(r.Context()); err != nil {
		r.Fatal(err)
	}
	if last := s.Close(); last != nil {
		r.update(last)
	}
	r.task.SameRules = true
	return strings.Join(r.acted, "; "), p
}

// expect goes through all stages and compares what was queued.
func (r *tenant) expect(what string, want ...string) Plan {
	r.Helper()
	got, p := r.settle()
	if w := strings.Join(want, "; "); got != w {
		r.Errorf("%s:\n got %s\nwant %s", what, got, w)
	}
	return p
}

// words are an action in words: "update group g +hq/1 -hq/2".
func words(a *directory.Action) string {
	text := fmt.Sprintf("%s %s %s", a.Op, a.Kind, strings.TrimPrefix(a.Record, "hq/"))
	for _, c := range a.Changes {
		text += fmt.Sprintf(" %s:%v>%v", c.Name, c.From, c.To)
	}
	for _, s := range a.Sets {
		for _, key := range s.Added {
			text += " +" + strings.TrimPrefix(key, "hq/")
		}
		for _, key := range s.Removed {
			text += " -" + strings.TrimPrefix(key, "hq/")
		}
	}
	return text
}

// outbox lists what waits for a target, in words.
func (r *tenant) outbox(target string) string {
	r.Helper()
	var list []string
	r.view(func(tx store.Reader) error {
		list = nil
		return tx.Outbox(target, 0, func(q store.Queued) bool {
			a, err := directory.ParseAction(q.Data)
			if err != nil {
				r.Fatal(err)
			}
			list = append(list, words(&a))
			return true
		})
	})
	return strings.Join(list, "; ")
}

// ids are 01, 02, … up to a number.
func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%02d", i+1)
	}
	return list
}

// at lets no more than so many of some actions go ahead.
func at(count int, operations ...directory.Op) plan.Guard {
	g := plan.Guard{}
	for _, op := range operations {
		g[op] = plan.Limit{Count: &count}
	}
	return g
}
