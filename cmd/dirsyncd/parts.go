package main

import (
	"dirsyncd/connectors"
	"dirsyncd/connectors/csp"
	"dirsyncd/connectors/entra"
	"dirsyncd/connectors/google"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/okta"
	"dirsyncd/sync/config"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
	"dirsyncd/sync/targets/webhook"
)

// connectorRegistry lists the connectors of this program; a new one is one line.
func connectorRegistry() connectors.Registry {
	return connectors.Registry{
		ldap.Factory(),
		entra.Factory(),
		csp.Factory(),
		google.Factory(),
		okta.Factory(),
	}
}

// targetRegistry lists the targets of this program; a new one is one line.
func targetRegistry() targets.Registry {
	return targets.Registry{
		file.Factory(),
		webhook.Factory(),
	}
}

// configParts tells the configuration which blocks there are.
func configParts() config.Parts {
	sources, places := connectorRegistry(), targetRegistry()
	return config.Parts{
		Connector: func(name string) (func() any, bool) {
			f, ok := sources.Lookup(name)
			return f.NewConfig, ok
		},
		Target: func(name string) (func() any, bool) {
			f, ok := places.Lookup(name)
			return f.NewConfig, ok
		},
		ConnectorNames: sources.Names(),
		TargetNames:    places.Names(),
	}
}
