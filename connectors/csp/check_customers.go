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

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
)

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
			var err error
			defer func() {
				if err != nil {
					results[i] = []connectors.Finding{{Subject: "access", Detail: fault.Text(err), Hint: fault.Hint(err)}}
				}
			}()
			defer fault.Recover("try a customer", &err)
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
			troubles[f] = append(troubles[f], c.filter.nameOf(list[i])+" ("+list[i].id+")")
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
	r, err := c.client(one.id)
	if err != nil {
		return []connectors.Finding{connectors.Failed("customer", err)}
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
		return append(found, connectors.Failed("customer", err))
	}
	for i := range found {
		if found[i].OK {
			continue
		}
		f := &fault.Error{Class: fault.Auth, Err: errors.New(found[i].Detail), Hint: found[i].Hint}
		if strings.HasPrefix(found[i].Subject, "permission") {
			f.Class = fault.Forbidden
		}
		if hint, ok := c.hint(one.id, f); ok {
			found[i].Hint = hint
		}
	}
	return found
}
