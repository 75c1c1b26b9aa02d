package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/connectors/merge"
	"dirsyncd/store/bolt"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/plan"
	"dirsyncd/sync/settings"
)

// merged measures a connection that is made of three others: one person in each, joined by a number.
func merged(ctx context.Context, out io.Writer, o options) error {
	st, err := bolt.Open(filepath.Join(o.dir, "merged.db"), bolt.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	counted := &countingStore{Store: st}
	e := engine.New(counted, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	nobody, problems := mapping.Compile(mapping.Spec{Name: "contributor", Rules: []mapping.RuleSpec{
		{Name: "everybody", Records: map[directory.RecordKind][]mapping.FieldSpec{directory.UserRecord: nil}}}})
	if len(problems) > 0 {
		return fmt.Errorf("%v", problems)
	}
	cfg := merge.Defaults()
	cfg.From, cfg.Join = settings.Names{"ad", "entra", "hr"}, []merge.Join{{Field: "employee_id"}, {Field: "email", Domains: []string{"example.com"}}}
	if issues := cfg.Validate(); len(issues) > 0 {
		return fmt.Errorf("%v", issues)
	}
	people, err := merge.Factory().Open(cfg, connectors.Env{Connection: "people", Stored: st, Now: time.Now})
	if err != nil {
		return err
	}
	whole := &engine.Connection{Name: "people", Connector: "merge", Source: people, Rules: rules("Head office"), Guard: plan.Guard{}, Targets: []string{"journal"}}
	sources, parts := map[string]*memory.Source{}, map[string]*engine.Connection{}
	for _, name := range cfg.From {
		s := memory.NewSource()
		for _, i := range rand.New(rand.NewPCG(1, uint64(len(name)))).Perm(o.people) { // each in an order of its own
			s.Put("", colleague(name, i))
		}
		sources[name] = s
		parts[name] = &engine.Connection{Name: name, Connector: "memory", Rules: nobody, Followed: true, Guard: plan.Guard{},
			Source: connectors.Guard(memory.Open(s, memory.Options{PageSize: 1000}))}
	}
	_, _ = fmt.Fprintf(out, "\n%d people in three connections, joined to one each\n\n%-40s %9s %7s\n", o.people, "what", "time", "writes")
	step := func(what string, c *engine.Connection, job engine.Job) error {
		before, began := counted.writes.Load(), time.Now()
		for _, r := range e.RunConnection(ctx, c, job) {
			if r.Err != nil {
				return fmt.Errorf("%s: %w", what, r.Err)
			}
		}
		_, _ = fmt.Fprintf(out, "%-40s %9s %7d\n", what, time.Since(began).Round(time.Millisecond), counted.writes.Load()-before)
		return nil
	}
	for _, name := range cfg.From {
		if err := step("first sync of "+name, parts[name], engine.Job{}); err != nil {
			return err
		}
	}
	if err := step("first merge", whole, engine.Job{}); err != nil {
		return err
	}
	if err := step("merge in full, nothing changed", whole, engine.Job{Full: true}); err != nil {
		return err
	}
	if err := step("merge without changes", whole, engine.Job{}); err != nil {
		return err
	}
	for round := range 3 {
		for i := range o.changed {
			n := (i*997 + round) % o.people
			sources["hr"].Edit("", directory.Ref{Kind: directory.Person, ID: fmt.Sprint(n)}, func(p *directory.Object) { p.SetText("title", fmt.Sprint("title ", round)) })
		}
		if err := step(fmt.Sprintf("delta of %d changes at a contributor", o.changed), parts["hr"], engine.Job{}); err != nil {
			return err
		}
		if err := step(fmt.Sprintf("merge of %d changes", o.changed), whole, engine.Job{}); err != nil {
			return err
		}
	}
	return people.Close()
}

// colleague is somebody as one of the three has that person.
func colleague(house string, n int) directory.Object {
	p := directory.Object{Kind: directory.Person, ID: fmt.Sprint(n)}
	p.SetText("name", fmt.Sprintf("Person %d of %s", n, house))
	p.SetText("employee_id", fmt.Sprint(n))
	p.SetText("email", fmt.Sprintf("p%d@example.com", n))
	p.SetText("department", fmt.Sprint("Department ", n%50))
	p.SetText("title", "title")
	p.Links = []directory.Link{{Type: directory.Manager, To: directory.IDHandle(fmt.Sprint(n / 10))}}
	return p
}
