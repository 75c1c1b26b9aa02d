package main

import (
	"dirsyncd/connectors"
	"dirsyncd/connectors/csp"
	"dirsyncd/connectors/entra"
	"dirsyncd/connectors/google"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/okta"
	"dirsyncd/sync/service"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
	"dirsyncd/sync/targets/webhook"
)

// parts are what a configuration can name.
func parts() service.Parts {
	return service.Parts{Connectors: connectorRegistry(), Targets: targetRegistry()}
}

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
