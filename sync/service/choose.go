package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/store"
	"dirsyncd/sync/config"
	"dirsyncd/sync/engine"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/spelling"
)

// chosen is a connection that somebody named, or one tenant of it ("customers/Harbour Logistics").
type chosen struct {
	connection string
	tenant     string // its id, name or domain as it was given; empty: all tenants
}

func (c chosen) String() string {
	return store.Partition{Connection: c.connection, Tenant: c.tenant}.String()
}

// choose finds what was named; none named means every connection.
func choose(names []string, cfg *config.Config) ([]chosen, error) {
	all := namesOf(cfg)
	if len(names) == 0 {
		names = all
	}
	list := make([]chosen, len(names))
	for i, name := range names {
		connection, tenant := name, ""
		if !slices.Contains(all, name) {
			connection, tenant, _ = strings.Cut(name, "/")
		}
		if !slices.Contains(all, connection) {
			return nil, unknownConnection(name, all)
		}
		list[i] = chosen{connection, tenant}
	}
	return list, nil
}

func connectionsOf(list []chosen) (names []string) {
	for _, c := range list {
		names = append(names, c.connection)
	}
	return names
}

func unknownConnection(name string, names []string) error {
	return &fault.Error{Class: fault.Configuration, Op: "find connection", Err: fmt.Errorf("there is no connection %q", name),
		Hint: fmt.Sprintf("the configuration has: %v", names)}
}

// partitionsOf lists the stored partitions of what was chosen.
func (s *Service) partitionsOf(ctx context.Context, list ...chosen) ([]store.Partition, error) {
	all, err := s.store.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	var parts []store.Partition
	for _, p := range all {
		for _, c := range list {
			wanted := c.connection == p.Connection
			if wanted && c.tenant != "" {
				wanted, err = s.isTenant(ctx, p, c.tenant)
			}
			if err != nil {
				return nil, err
			}
			if wanted {
				parts = append(parts, p)
				break
			}
		}
	}
	return parts, nil
}

func (s *Service) isTenant(ctx context.Context, p store.Partition, who string) (is bool, err error) {
	err = s.store.View(ctx, p, func(tx store.Reader) error {
		state, err := tx.Tenant()
		is = engine.IsTenant(&connectors.Tenant{ID: p.Tenant, Name: state.Name, Domain: state.Domain}, who)
		return err
	})
	return is, err
}

// noTenant says that a connection has no such tenant, as far as is known: those that it listed last.
func (s *Service) noTenant(ctx context.Context, c chosen) error {
	e := &fault.Error{Class: fault.Configuration, Op: "find tenant", Where: c.connection, Err: fmt.Errorf("there is no tenant %q", c.tenant)}
	tenants, err := s.engine.StoredTenants(ctx, c.connection)
	if err != nil {
		return errors.Join(e, err)
	}
	var known []string
	for _, t := range tenants {
		if t.ID != "" {
			known = append(known, cmp.Or(t.Name, t.ID))
		}
	}
	if e.Hint = spelling.Suggest(c.tenant, known); e.Hint == "" {
		e.Hint = "this source has no tenants: name the connection alone"
	}
	return e
}
