package deliver

import (
	"fmt"
	"testing"
	"testing/synctest"

	"dirsyncd/store/storetest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// thing makes an action of a kind, with fields as "name=value" or, changed, "name=from>to".
func thing(kind directory.RecordKind, op directory.Op, id string, words ...string) *directory.Action {
	a := act(op, id, words...)
	a.Kind, a.Record = kind, "hq/"+id
	for _, c := range a.Changes {
		value := c.To
		if op == directory.Create || op == directory.Delete {
			value = c.From
		}
		a.Fields = append(a.Fields, directory.Field{Name: c.Name, Value: value})
	}
	if op == directory.Create || op == directory.Delete {
		a.Changes = nil
	}
	return a
}

// TestArrange: calls are separated by bars; a window's are only ended by the batch.
func TestArrange(t *testing.T) {
	const (
		customer, site, user, agent = directory.CustomerRecord, directory.SiteRecord, directory.UserRecord, directory.AgentRecord
		group, ticket               = directory.GroupRecord, directory.TicketRecord
		create, update, remove, off = directory.Create, directory.Update, directory.Delete, directory.Deactivate
	)
	for _, c := range []struct {
		name    string
		actions []*directory.Action
		want    string
	}{
		{"ranks", []*directory.Action{thing(ticket, create, "t"), thing(group, create, "g"), thing(user, create, "u"), thing(agent, create, "a"), thing(site, create, "s"),
			thing(customer, create, "c")}, "create c, create s, create u, create a, create g, create t"},
		{"the way back", []*directory.Action{thing(customer, remove, "c"), thing(site, off, "s"), thing(user, off, "u"), thing(user, create, "v")},
			"create v, deactivate u, deactivate s, delete c"},
		{"an address moves", []*directory.Action{thing(user, create, "b", "email=X@y "), thing(user, update, "a", "email=x@y>z@y")}, "update a | create b"},
		{"to an agent", []*directory.Action{thing(agent, update, "b", "login=q>x"), thing(user, update, "a", "login=x>")}, "update a | update b"},
		{"from somebody who is deleted", []*directory.Action{thing(user, update, "b", "email=q>x"), thing(user, remove, "a", "email=x")}, "delete a | update b"},
		{"from somebody who leaves and keeps it", []*directory.Action{thing(user, update, "b", "email=q>x"), thing(user, off, "a", "dept=q>x")}, "update b, deactivate a"},
		{"a chain", []*directory.Action{thing(user, update, "c", "email=2>3"), thing(user, update, "b", "email=1>2"), thing(user, update, "a", "email=3>4")},
			"update a | update c | update b"},
		{"a swap", []*directory.Action{thing(user, update, "a", "email=1>2"), thing(user, update, "b", "email=2>1")}, "update a, update b"},
		{"names of people are no matter", []*directory.Action{thing(user, create, "b", "name=Ann"), thing(user, update, "a", "name=Ann>Bea")}, "create b, update a"},
		{"names of groups are", []*directory.Action{thing(group, create, "b", "customer=c", "name=desk"), thing(group, update, "a", "customer=c>d", "name=Desk>Desk")},
			"update a | create b"},
		{"of other customers", []*directory.Action{thing(group, create, "b", "customer=e", "name=desk"), thing(group, update, "a", "customer=c>d", "name=Desk>Desk")},
			"create b, update a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, ranked := range []bool{true, false} {
				synctest.Test(t, func(t *testing.T) {
					st, clerk := storetest.Strict(t, newMemory()), newClerk(10)
					clerk.desc.Ranked = ranked
					enqueue(t, st, c.actions...)
					want := c.want
					if !ranked {
						want = ""
						for i, a := range c.actions {
							want += []string{"", ", "}[min(i, 1)] + a.Op.String() + " " + a.Key
						}
					}
					is(t, clerk.drained(t, New(st, journal, clerk, Options{})), want)
				})
			}
		})
	}
}

// Whoever is left out of a window was not sent.
func TestLeftOutIsNotAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, clerk := storetest.Strict(t, newMemory()), newClerk(1)
		clerk.desc = targets.Description{Batch: 1, Parallel: 3, Ranked: true}
		enqueue(t, st, thing(directory.UserRecord, directory.Create, "b", "email=x"), thing(directory.UserRecord, directory.Update, "a", "email=x>y"))
		for i := range 20 {
			enqueue(t, st, thing(directory.UserRecord, directory.Create, fmt.Sprint("u", i)))
		}
		drain(t, New(st, journal, clerk, Options{}))
		is(t, clerk.calls[len(clerk.calls)-1][0], "create b")
	})
}
