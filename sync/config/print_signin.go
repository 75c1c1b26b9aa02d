package config

import "go.yaml.in/yaml/v4"

// signin renders how people sign in.
func (p *printer) signin(s *Signin) any {
	if s == nil {
		return nil
	}
	keys := any(s.Keys)
	if !s.KeyText.IsZero() {
		keys = s.KeyText
	}
	session := []pair{{"lifetime", s.Lifetime}, {"idle", s.Idle}}
	if s.Remember != 0 {
		session = append(session, pair{"remember", s.Remember})
	}
	var providers, apps []pair
	for i := range s.Providers {
		providers = append(providers, pair{s.Providers[i].Name, p.identity(&s.Providers[i])})
	}
	for i := range s.Apps {
		apps = append(apps, pair{s.Apps[i].Name, p.application(&s.Apps[i])})
	}
	return p.block(pair{"keys", keys}, pair{"session", p.block(session...)}, pair{"providers", p.block(providers...)}, pair{"apps", p.block(apps...)})
}

func (p *printer) identity(i *Identity) *yaml.Node {
	unknown, create := unknownWord(""), any(nil)
	if n := i.Newcomers; n != nil {
		unknown = createUnknown
		create = p.block(pair{"per_day", n.PerDay}, pair{"customer", notEmpty(n.Customer)}, pair{"mapping", notEmpty(n.Mapping)}, pair{"targets", notNone(n.Targets)})
	}
	var require []string
	if i.Require != nil {
		require = i.Require.Texts()
	}
	return p.block(
		pair{"provider", i.Provider}, pair{"directories", i.Directories}, pair{"domains", notNone(i.Domains)}, pair{"match", notNone(i.Match)}, pair{"audience", i.Audience},
		pair{"button", notEmpty(i.Button)}, pair{"require", notNone(require)}, pair{"unknown", notEmpty(string(unknown))}, pair{"create", create}, pair{i.Provider, p.own(i.Block)},
	)
}

func (p *printer) application(a *Application) *yaml.Node {
	pairs := []pair{{"url", a.URL.String()}, {"providers", a.Providers}, {"audience", a.Audience}, {"hand_over", a.HandOver}}
	if a.TokenURL != nil {
		pairs = append(pairs, pair{"token_url", a.TokenURL.String()})
	}
	if a.LogoutURL != nil {
		pairs = append(pairs, pair{"logout_url", a.LogoutURL.String()})
	}
	if !a.Secret.IsZero() {
		pairs = append(pairs, pair{"secret", a.Secret})
	}
	if !a.PrivateKey.IsZero() {
		pairs = append(pairs, pair{"private_key", a.PrivateKey})
	}
	if h := a.Headers; h != (HeaderNames{}) {
		pairs = append(pairs, pair{"headers", p.block(pair{"user", notEmpty(h.User)}, pair{"email", notEmpty(h.Email)}, pair{"name", notEmpty(h.Name)}, pair{"groups", notEmpty(h.Groups)})})
	}
	return p.block(append(pairs, pair{"auto", a.Auto})...)
}

func notNone(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return list
}
