package oidc

import (
	"context"
	"fmt"
	"net/url"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
)

// Factories are the presets as kinds of provider.
func Factories() signin.Registry {
	all := make(signin.Registry)
	for _, name := range Presets() {
		all[name] = signin.Factory{NewConfig: func() any { return Blank(name) }, New: open, About: about}
	}
	return all
}

func open(block any, env signin.Env) (signin.Provider, error) {
	s, ok := block.(Settings)
	if !ok {
		return nil, &fault.Error{Class: fault.Internal, Op: "make a provider", Where: env.Name, Err: fmt.Errorf("a block of type %T", block)}
	}
	at := func(path ...string) string { return env.URL.JoinPath(append([]string{"auth"}, path...)...).String() }
	o := Options{
		Client: env.Client, Now: env.Now, Once: env.Once, Kept: env.Kept, Name: env.Name, Domains: env.Domains, Claims: append(claimsOf(env.Match), env.Claims...),
		Callback: at("oidc", env.Name, "callback"), Logout: at("oidc", env.Name, "logout"), Login: at("oidc", env.Name, "login"), SignedOut: at("logout"),
	}
	if e, ok := s.(*Entra); ok && e.CustomersOf != "" && env.Customer != nil {
		o.Customer = func(ctx context.Context, tenant string) (bool, error) {
			return env.Customer(ctx, e.CustomersOf, tenant)
		}
	}
	return New(s, o)
}

// claimsOf leaves out what each preset finds by itself.
func claimsOf(match []string) (claims []string) {
	for _, m := range match {
		if m != "mail" {
			claims = append(claims, m)
		}
	}
	return claims
}

// about says what is known of a block without asking anybody.
func about(block any) signin.About {
	var a signin.About
	address := ""
	switch s := block.(type) {
	case *Entra:
		address, a.Tenant, a.SingleLogout = s.Authority, s.Tenant, s.SingleLogout
		a.Gives = []string{"entra", "csp"}
	case *External:
		a.Host, a.Tenant, a.SingleLogout = s.Domain, s.Tenant, s.SingleLogout
		a.Gives = []string{"entra"}
		if a.Host == "" && s.Subdomain != "" {
			a.Host = s.Subdomain + ".ciamlogin.com"
		}
	case *B2C:
		a.Host, a.SingleLogout = s.Domain, s.SingleLogout // its tenant is a name, and those of objects are ids
		a.Gives = []string{"entra"}
	case *Okta:
		address, a.SingleLogout = s.URL, s.SingleLogout
		a.Gives = []string{"okta"}
	case *Google:
		a.Gives = []string{"google"}
		a.Host, a.SingleLogout = "accounts.google.com", s.SingleLogout
	case *Delinea:
		address, a.SingleLogout = s.URL, s.SingleLogout
		if s.UserID != "" {
			a.Gives = []string{"delinea"}
		}
	case *Generic:
		address, a.SingleLogout = s.Issuer, s.SingleLogout
	}
	if u, err := url.Parse(address); err == nil && a.Host == "" {
		a.Host = u.Host
	}
	return a
}

// Metadata implements signin.Registered: the addresses that are registered at the provider.
func (p *Provider) Metadata() ([]byte, error) {
	return fmt.Appendf(nil, "redirect URI:           %s\nlog-out, both channels: %s\nafter sign-out:         %s\nbegin at the portal:    %s\n",
		p.o.Callback, p.o.Logout, p.o.SignedOut, p.o.Login), nil
}

var (
	_ signin.Registered = (*Provider)(nil)
	_ signin.Initiator  = (*Provider)(nil)
)
