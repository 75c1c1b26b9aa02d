package service

import (
	"maps"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
)

// A connection without a mapping has records that nobody hears of (mappingOf). To operators they are what they were made of:
// people, of whom other connections are made.

// unheard reports whether nobody hears of the records of a connection. One that is not configured any more had some.
func (g *generation) unheard(connection string) bool {
	c := g.connections[connection]
	return c != nil && c.unheard
}

// peopleOnly turns counts of records that nobody hears of into counts of people.
func peopleOnly(counts api.Counts) api.Counts {
	users, ok := counts[directory.UserRecord.String()]
	if !ok {
		return counts
	}
	counts = maps.Clone(counts)
	delete(counts, directory.UserRecord.String())
	counts[directory.Person.String()] = users
	return counts
}

// ofPeople says of a run whose records nobody hears of what it did to people. Its one rule decides about nothing.
func ofPeople(r *api.Run) {
	r.Counts, r.HeldCounts, r.Rules = peopleOnly(r.Counts), peopleOnly(r.HeldCounts), nil
	for i := range r.Actions {
		r.Actions[i].Kind = directory.Person.String()
	}
}
