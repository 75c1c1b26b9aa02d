package csp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
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
	if err := context.Cause(ctx); err != nil {
		return findings, err
	}
	findings = append(findings, c.checkSources(got, failed)...)
	if len(failed) == len(c.cfg.Sources) {
		return findings, nil
	}
	all := c.reconciled(got)
	list := c.choice.pick(all)
	if len(failed) == 0 {
		c.rooms.learn(all)
		findings = append(findings, c.checkChoice(all, list)...)
	}
	findings = append(findings, c.checkCustomers(ctx, list)...)
	return findings, context.Cause(ctx)
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
		return failure(f.Subject, err)
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
			findings = append(findings, failure(sourceWord+name, failed[i]))
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

// failure makes a finding of an error.
func failure(subject string, err error) connectors.Finding {
	detail := err.Error()
	var f *fault.Error
	if errors.As(err, &f) && f.Err != nil {
		detail = f.Err.Error()
	}
	return connectors.Finding{Subject: subject, Detail: detail, Hint: fault.Hint(err)}
}

// checkChoice compares the customers that the configuration names with those that there are.
func (c *Connector) checkChoice(all map[string]*customer, list []*customer) []connectors.Finding {
	count := connectors.Finding{Subject: "customers", OK: len(list) > 0, Detail: fmt.Sprintf("%d of %d are read", len(list), len(all))}
	if !count.OK {
		count.Hint = "look at sources, include, exclude and new_tenants"
	}
	findings := []connectors.Finding{count}
	for _, given := range []struct {
		key   string
		names []string
	}{{"include", c.cfg.Include}, {"exclude", c.cfg.Exclude}, {"customers", slices.Sorted(maps.Keys(c.cfg.Customers))}} {
		unknown := slices.DeleteFunc(slices.Clone(given.names), func(name string) bool {
			want := map[string]bool{strings.ToLower(name): true}
			for _, one := range all {
				if one.in(want) {
					return true
				}
			}
			return false
		})
		if len(unknown) > 0 {
			findings = append(findings, connectors.Finding{
				Subject: given.key, Detail: "no source lists " + some(unknown),
				Hint: "correct or remove them: ids and domains are compared whole, and of a customer that only gdap lists no domain is known",
			})
		}
	}
	if double := c.sameName(list); len(double) > 0 {
		findings = append(findings, connectors.Finding{
			Subject: "names", Detail: "several tenants have the same name: " + some(double),
			Hint: "if they are one customer this is right; otherwise tell them apart under customers, by tenant id",
		})
	}
	if unmapped := c.unmapped(list); len(unmapped) > 0 {
		findings = append(findings, connectors.Finding{
			Subject: "customers", OK: true, Detail: fmt.Sprintf("%d of them have the source's name, since customers does not name them: %s", len(unmapped), some(unmapped)),
		})
	}
	return findings
}

// sameName lists the names that several tenants have.
func (c *Connector) sameName(list []*customer) []string {
	times, spelling := map[string]int{}, map[string]string{}
	for _, one := range list {
		key := strings.ToLower(c.choice.nameOf(one))
		times[key]++
		spelling[key] = c.choice.nameOf(one)
	}
	var double []string
	for _, key := range slices.Sorted(maps.Keys(times)) {
		if times[key] > 1 {
			double = append(double, spelling[key])
		}
	}
	return double
}

// unmapped lists the customers without a name of the operator's, when the operator has begun to name them.
func (c *Connector) unmapped(list []*customer) []string {
	if len(c.choice.named) == 0 {
		return nil
	}
	var names []string
	for _, one := range list {
		if _, ok := c.choice.named[one.id]; !ok {
			names = append(names, one.name+" ("+one.id+")")
		}
	}
	return names
}

// some shows the first few of a list.
func some(list []string) string {
	const few = 5
	if len(list) <= few {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:few], ", "), len(list)-few)
}

// checkCustomers tries every customer and puts together what several of them lack.
func (c *Connector) checkCustomers(ctx context.Context, list []*customer) []connectors.Finding {
	list = slices.DeleteFunc(slices.Clone(list), func(one *customer) bool { return one.id == c.partnerID() })
	results := make([][]connectors.Finding, len(list))
	slots := make(chan struct{}, c.cfg.Parallel)
	var wg sync.WaitGroup
	for i, one := range list {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			wg.Wait()
			return nil
		}
		wg.Go(func() {
			defer func() { <-slots }()
			results[i] = c.tryCustomer(ctx, one)
		})
	}
	wg.Wait()
	if ctx.Err() != nil || len(list) == 0 {
		return nil
	}
	troubles, good := map[connectors.Finding][]string{}, 0
	for i, found := range results {
		healthy := true
		for _, f := range found {
			if f.OK {
				continue
			}
			healthy = false
			f.Detail, f.Hint = common(f.Detail, list[i].id), common(f.Hint, list[i].id)
			troubles[f] = append(troubles[f], c.choice.nameOf(list[i])+" ("+list[i].id+")")
		}
		if healthy {
			good++
		}
	}
	findings := []connectors.Finding{{Subject: "access", OK: good > 0, Detail: fmt.Sprintf("%d of %d customers can be read", good, len(list))}}
	if good == 0 {
		findings[0].Hint = "see what is said of them"
	}
	keys := slices.SortedFunc(maps.Keys(troubles), func(a, b connectors.Finding) int {
		return cmp.Or(cmp.Compare(len(troubles[b]), len(troubles[a])), strings.Compare(a.Subject, b.Subject), strings.Compare(a.Detail, b.Detail), strings.Compare(a.Hint, b.Hint))
	})
	for _, f := range keys {
		who := troubles[f]
		if len(who) == 1 {
			f.Hint = strings.ReplaceAll(f.Hint, tenantMark, who[0][len(who[0])-37:len(who[0])-1])
		}
		f.Detail = fmt.Sprintf("%d of %d customers: %s: %s", len(who), len(list), f.Detail, some(who))
		findings = append(findings, f)
	}
	return findings
}

// tenantMark stands for a tenant's id in what is said of several.
const tenantMark = "TENANT-ID"

// numbers of requests, which differ every time.
var numbers = regexp.MustCompile(`, (?:correlation|request) id [A-Za-z0-9._-]+`)

func common(text, id string) string {
	return strings.ReplaceAll(numbers.ReplaceAllString(text, ""), id, tenantMark)
}

// tryCustomer makes the small requests by which a reader finds out what it may read.
func (c *Connector) tryCustomer(ctx context.Context, one *customer) []connectors.Finding {
	tenant := c.choice.tenant(one, nil)
	r, err := c.room(one.id)
	if err != nil {
		return []connectors.Finding{failure("customer", err)}
	}
	patient, cancel := context.WithTimeout(ctx, 2*c.cfg.Timeout.Std())
	defer cancel()
	found, err := r.reader.Check(patient)
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return append(found, connectors.Finding{Subject: "customer", Detail: "the service takes requests about the tenant and does not answer them"})
	case err != nil:
		return append(found, failure("customer", err))
	}
	for i := range found {
		if found[i].OK {
			continue
		}
		f := &fault.Error{Class: fault.Auth, Err: errors.New(found[i].Detail), Hint: found[i].Hint}
		if strings.HasPrefix(found[i].Subject, "permission") {
			f.Class = fault.Forbidden
		}
		if hint, ok := c.hint(tenant.ID, f); ok {
			found[i].Hint = hint
		}
	}
	return found
}
