package service

import (
	"maps"
	"slices"

	"dirsyncd/connectors"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/targets"
)

// Parts are what a configuration can name.
type Parts struct {
	Connectors connectors.Registry
	Targets    targets.Registry
	Identities signin.Registry
}

// Config tells the configuration which blocks there are.
func (p Parts) Config() config.Parts {
	return config.Parts{
		Connector: func(name string) (func() any, bool) {
			f, ok := p.Connectors.Lookup(name)
			return f.NewConfig, ok
		},
		Target: func(name string) (func() any, bool) {
			f, ok := p.Targets.Lookup(name)
			return f.NewConfig, ok
		},
		Desk: func(name string) (func(any) config.About, bool) {
			f, ok := p.Targets.Lookup(name)
			return func(block any) config.About { return aboutOf(f.About(block)) }, ok && f.About != nil
		},
		Identity: func(name string) (func() any, bool) {
			f, ok := p.Identities[name]
			return f.NewConfig, ok
		},
		ConnectorNames: p.Connectors.Names(),
		TargetNames:    p.Targets.Names(),
		IdentityNames:  p.Identities.Names(),
	}
}

// aboutOf says what a configuration can name of a place.
func aboutOf(d targets.DeskDescription) config.About {
	about := config.About{Keys: map[directory.RecordKind][]string{}, Needs: map[directory.RecordKind][][]string{}}
	fields := map[string]bool{}
	for _, k := range d.Kinds {
		names := make([]string, len(k.Keys))
		for i, key := range k.Keys {
			names[i] = key.Name
		}
		about.Keys[k.Kind], about.Needs[k.Kind] = names, k.Needs
		for field := range k.References {
			fields[field] = true
		}
	}
	about.References = slices.Sorted(maps.Keys(fields))
	return about
}
