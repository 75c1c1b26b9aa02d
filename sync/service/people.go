package service

import (
	"context"
	"strings"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/key"
)

// people are those whom the state knows.
type people struct {
	engine *engine.Engine
	store  store.Store
}

var _ signin.People = people{}

// Scopes implements signin.People.
func (p people) Scopes(ctx context.Context, connection string) ([]signin.Scope, error) {
	parts, err := p.store.Partitions(ctx, connection)
	scopes := make([]signin.Scope, len(parts))
	for i, part := range parts {
		scopes[i] = signin.Scope{Connection: part.Connection, Tenant: part.Tenant}
	}
	return scopes, err
}

// ByID implements signin.People.
func (p people) ByID(ctx context.Context, where signin.Scope, id string) (signin.Owner, bool, error) {
	found, err := p.engine.Find(ctx, []engine.Scope{{Connection: where.Connection, Tenants: []string{where.Tenant}}}, key.Of(key.ID, id))
	if err != nil || len(found) == 0 {
		return signin.Owner{}, false, err
	}
	return ownerOf(found[0].Owner), true, nil
}

// Find implements signin.People.
func (p people) Find(ctx context.Context, where []signin.Scope, kind, value string) ([]signin.Owner, error) {
	scopes := make([]engine.Scope, len(where))
	for i, s := range where {
		scopes[i] = engine.Scope{Connection: s.Connection, Tenants: []string{s.Tenant}}
	}
	found, err := p.engine.Find(ctx, scopes, key.Of(key.FieldOf(kind).Kind, value))
	owners := make([]signin.Owner, len(found))
	for i, f := range found {
		owners[i] = ownerOf(f.Owner)
	}
	return owners, err
}

func ownerOf(o engine.Owner) signin.Owner {
	return signin.Owner{Scope: signin.Scope{Connection: o.Partition.Connection, Tenant: o.Partition.Tenant}, ID: o.ID, Record: o.Record}
}

// Standing implements signin.People. Whoever is missing without proof is still there.
func (p people) Standing(ctx context.Context, o signin.Owner) (signin.Standing, error) {
	s, err := p.engine.Standing(ctx, engine.Owner{Partition: store.Partition{Connection: o.Connection, Tenant: o.Tenant}, ID: o.ID})
	if err != nil {
		return signin.Standing{}, err
	}
	standing := signin.Standing{There: !s.Gone(), Enabled: s.Enabled, ForNow: s.ForNow, Fields: make(map[string]string, len(s.Fields)), Values: make(map[string][]string, len(s.Fields))}
	for _, k := range s.Kinds {
		standing.Kinds = append(standing.Kinds, k.String())
	}
	for _, f := range s.Fields {
		switch f.Value.Type() {
		case directory.TextType:
			standing.Fields[f.Name], standing.Values[f.Name] = f.Value.Text(), []string{f.Value.Text()}
		case directory.ListType:
			standing.Fields[f.Name], standing.Values[f.Name] = strings.Join(f.Value.List(), ", "), f.Value.List()
		default: // numbers, times and answers say nobody who somebody is
		}
	}
	return standing, nil
}
