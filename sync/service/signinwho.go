package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/key"
	"dirsyncd/sync/signin/portal"
	"dirsyncd/sync/spelling"
)

// The words of what a provider would say, beside those that it matches by.
const (
	saysID     = "id"
	saysTenant = "tenant"
)

// SigninWho implements api.Operations. Links are not followed and none is made.
func (s *Service) SigninWho(ctx context.Context, req api.SigninWhoRequest) (api.SigninWho, error) {
	cfg := s.current().cfg
	if cfg.Signin == nil {
		return api.SigninWho{}, noSignin()
	}
	i := slices.IndexFunc(cfg.Signin.Providers, func(p config.Identity) bool { return p.Name == req.Provider })
	if i < 0 {
		var names []string
		for _, p := range cfg.Signin.Providers {
			names = append(names, p.Name)
		}
		return api.SigninWho{}, &fault.Error{Class: fault.Configuration, Op: "find somebody", Where: req.Provider, Err: errors.New("there is no provider of this name"), Hint: spelling.Suggest(req.Provider, names)}
	}
	provider := &cfg.Signin.Providers[i]
	said, err := wouldSay(provider, req.Says)
	if err != nil {
		return api.SigninWho{}, err
	}
	policy := s.identity(cfg, provider, nil).Policy
	found, err := policy.Who(ctx, people{s.engine, s.store}, unlinked{}, said)
	answer := api.SigninWho{Provider: provider.Name, Record: found.Owner.Record, By: found.By}
	if found.Owner.ID != "" {
		answer.Object = found.Owner.Scope.String() + "/" + found.Owner.ID
	}
	checks := found.Checks
	var refusal *signin.Refusal
	switch {
	case errors.As(err, &refusal):
		answer.Reason, answer.Detail, answer.Hint, checks = string(refusal.Reason), refusal.Text, refusal.Hint, refusal.Checks
		if provider.Newcomers != nil && refusal.Reason == signin.UnknownPerson {
			answer.Hint = "a sign-in makes people whom nobody knows, by the rules (`unknown: create`); this only looks"
		}
	case err != nil:
		return api.SigninWho{}, err
	default:
		for _, a := range cfg.Signin.Apps {
			if slices.Contains(a.Providers, provider.Name) && signin.Admission(a.Audience).Admits(found.Standing.Kinds) {
				answer.Apps = append(answer.Apps, a.Name)
			}
		}
	}
	for _, c := range checks {
		answer.Checks = append(answer.Checks, api.SigninCheck{Name: c.Name, OK: c.OK, Found: c.Found})
	}
	return answer, nil
}

// wouldSay makes the assertion of a provider that says this.
func wouldSay(p *config.Identity, says map[string]string) (*signin.Assertion, error) {
	a := &signin.Assertion{Claims: make(map[string][]string)}
	for _, kind := range slices.Sorted(maps.Keys(says)) {
		value := says[kind]
		switch {
		case value == "":
			return nil, &fault.Error{Class: fault.Configuration, Op: "find somebody", Where: kind, Err: errors.New("the value is empty")}
		case kind == saysID:
			a.Subject.Object = value
		case kind == saysTenant:
			a.Subject.Tenant = value
		case kind == key.MatchMail:
			a.Mail, a.MailVerified = value, true
		case slices.Contains(p.Match, kind):
			a.Claims[kind] = []string{value}
		default:
			return nil, &fault.Error{Class: fault.Configuration, Op: "find somebody", Where: kind, Err: fmt.Errorf("provider %q does not match by it", p.Name),
				Hint: "it knows people by " + strings.Join(append([]string{saysID, saysTenant}, p.Match...), ", ")}
		}
	}
	if len(says) == 0 {
		return nil, &fault.Error{Class: fault.Configuration, Op: "find somebody", Where: p.Name, Err: errors.New("nothing is said of them"), Hint: "write such as mail=ada@example.com"}
	}
	return a, nil
}

// unlinked are links of nobody.
type unlinked struct{}

// Link implements signin.Links.
func (unlinked) Link(context.Context, string, signin.Subject) (signin.Owner, bool, error) {
	return signin.Owner{}, false, nil
}

// SetLink implements signin.Links.
func (unlinked) SetLink(context.Context, string, signin.Subject, signin.Owner) error { return nil }

// SigninLinks implements api.Operations.
func (s *Service) SigninLinks(ctx context.Context, who string) ([]api.SigninLink, error) {
	items, err := s.items()
	if err != nil {
		return nil, err
	}
	list, err := portal.Links(ctx, items, who)
	answers := make([]api.SigninLink, len(list))
	for i := range list {
		answers[i] = api.SigninLink{ID: list[i].ID(), Record: list[i].Record, Object: list[i].Scope.String() + "/" + list[i].Owner.ID, Provider: list[i].Provider, Since: list[i].Since}
	}
	return answers, err
}

// Unlink implements api.Operations.
func (s *Service) Unlink(ctx context.Context, who string) (int, error) {
	if who == "" {
		return 0, &fault.Error{Class: fault.Configuration, Op: "forget links", Err: errors.New("nobody is named"), Hint: "`dirsyncd signin links` lists them"}
	}
	items, err := s.items()
	if err != nil {
		return 0, err
	}
	list, err := portal.Links(ctx, items, who)
	if err != nil {
		return 0, err
	}
	keys := make([][]byte, len(list))
	for i := range list {
		keys[i] = list[i].Key
	}
	n, err := items.Delete(ctx, portal.SpaceLink, keys...)
	if n > 0 {
		s.log.Info("links forgotten", "why", "by an operator", "count", n)
	}
	return n, err
}
