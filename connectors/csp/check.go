package csp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
)

// Check implements connectors.Connector. It asks every source, compares what the configuration names with what is
// there, and tries every customer; what several customers lack is one finding.
func (c *Connector) Check(ctx context.Context) ([]connectors.Finding, error) {
	var findings []connectors.Finding
	if c.token != nil {
		findings = append(findings, c.checkToken())
	}
	got, failed := c.sources.ask(ctx)
	findings = append(findings, c.checkSources(got, failed)...)
	if len(failed) == len(c.cfg.Sources) {
		return findings, nil
	}
	all := c.reconciled(got)
	list := c.filter.pick(all)
	if len(failed) == 0 {
		c.clients.learn(all)
		findings = append(findings, c.checkFilter(all, list)...)
	}
	findings = append(findings, c.checkCustomers(ctx, list)...)
	return findings, nil
}

// The life of a refresh token is ninety days from when it was handed out. The service renews it with every use, so
// one that is a month old is one that was not renewed.
const (
	tokenLife = 90 * 24 * time.Hour
	tokenWarn = 45 * 24 * time.Hour
)

// checkToken looks at the file of the refresh token.
func (c *Connector) checkToken() connectors.Finding {
	f := connectors.Finding{Subject: "refresh token"}
	age, mode, unsaved, err := c.token.age(c.env.Now())
	days := int(age.Hours() / 24)
	f.Detail = fmt.Sprintf("%d days old", max(days, 0))
	switch {
	case err != nil:
		return connectors.Failed(f.Subject, err)
	case unsaved != nil:
		f.Detail = "a renewed token could not be stored: " + unsaved.Error()
		f.Hint = "let the service write the folder of refresh_token_file, or everybody must sign in again after a restart"
	case age > tokenLife:
		f.Detail += ", and good for ninety"
		f.Hint = "the partner's user must sign in again, and the new token must go into refresh_token_file"
	case age > tokenWarn:
		f.Detail += fmt.Sprintf(", and good for ninety: %d days are left", int((tokenLife-age).Hours()/24))
		f.Hint = "it should be renewed with every use: see whether the service can write the folder of refresh_token_file, or let the partner's user sign in again"
	case mode&0o077 != 0:
		f.Detail = "others than the owner may read the file (mode " + mode.String() + ")"
		f.Hint = "chmod 600 the file: who has the token acts as the partner's user in every customer's tenant"
	default:
		f.OK = true
	}
	return f
}

// checkSources says what each source listed.
func (c *Connector) checkSources(got answers, failed []error) []connectors.Finding {
	counts := map[string]int{sourcePartnerCenter: len(got.center), sourceGDAP: len(got.relations), sourceContracts: len(got.contracts)}
	words := map[string]string{sourcePartnerCenter: "customers", sourceGDAP: "relationships", sourceContracts: "contracts"}
	var findings []connectors.Finding
	for _, name := range c.cfg.Sources {
		i := slices.IndexFunc(failed, func(err error) bool {
			var f *fault.Error
			return errors.As(err, &f) && strings.HasPrefix(f.Where, sourceWord+name)
		})
		if i >= 0 {
			findings = append(findings, connectors.Failed(sourceWord+name, failed[i]))
			continue
		}
		f := connectors.Finding{Subject: sourceWord + name, OK: true, Detail: fmt.Sprintf("%d %s", counts[name], words[name])}
		if bad := got.invalid[name]; len(bad) > 0 {
			f.OK, f.Hint = false, "ask Microsoft's support; until then no customer is taken for gone"
			f.Detail += fmt.Sprintf(", and %d entries that cannot be read: %v", len(bad), bad[0])
		}
		findings = append(findings, f)
	}
	return findings
}
