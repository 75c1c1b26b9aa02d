package main

import (
	"dirsyncd/connectors"
	"dirsyncd/connectors/csp"
	"dirsyncd/connectors/delinea"
	"dirsyncd/connectors/distinct"
	"dirsyncd/connectors/entra"
	"dirsyncd/connectors/files"
	"dirsyncd/connectors/google"
	"dirsyncd/connectors/ldap"
	"dirsyncd/connectors/merge"
	"dirsyncd/connectors/okta"
	"dirsyncd/connectors/sql"
	"dirsyncd/sync/service"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/oidc"
	"dirsyncd/sync/signin/saml"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/file"
	"dirsyncd/sync/targets/halo"
	"dirsyncd/sync/targets/nats"
	"dirsyncd/sync/targets/rest"
	"dirsyncd/sync/targets/scim"
	sqltarget "dirsyncd/sync/targets/sql"
	"dirsyncd/sync/targets/webhook"
)

// parts are what a configuration can name.
func parts() service.Parts {
	return service.Parts{Connectors: connectorRegistry(), Targets: targetRegistry(), Identities: identityRegistry()}
}

// connectorRegistry lists the connectors of this program; a new one is one line.
func connectorRegistry() connectors.Registry {
	return connectors.Registry{
		ldap.Factory(),
		entra.Factory(),
		csp.Factory(),
		google.Factory(),
		okta.Factory(),
		delinea.Factory(),
		files.Factory(),
		sql.Factory(),
		merge.Factory(),
		distinct.Factory(),
	}
}

// targetRegistry lists the targets of this program; a new one is one line.
func targetRegistry() targets.Registry {
	return targets.Registry{
		file.Factory(),
		webhook.Factory(),
		nats.Factory(),
		scim.Factory(),
		sqltarget.Factory(),
		halo.Factory(),
		rest.Factory(),
	}
}

// identityRegistry lists the kinds of provider of identity of this program.
func identityRegistry() signin.Registry {
	all := oidc.Factories()
	all["saml"] = saml.Factory()
	return all
}
