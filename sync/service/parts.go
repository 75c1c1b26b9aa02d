package service

import (
	"dirsyncd/connectors"
	"dirsyncd/sync/config"
	"dirsyncd/sync/targets"
)

// Parts are what a configuration can name.
type Parts struct {
	Connectors connectors.Registry
	Targets    targets.Registry
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
		ConnectorNames: p.Connectors.Names(),
		TargetNames:    p.Targets.Names(),
	}
}
