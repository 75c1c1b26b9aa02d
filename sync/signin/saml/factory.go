package saml

import (
	"fmt"
	"net/url"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
)

// Factory is SAML 2.0 as a kind of provider.
func Factory() signin.Factory {
	return signin.Factory{NewConfig: func() any { return Defaults() }, New: open, About: about}
}

func open(block any, env signin.Env) (signin.Provider, error) {
	c, ok := block.(*Config)
	if !ok {
		return nil, &fault.Error{Class: fault.Internal, Op: "make a provider", Where: env.Name, Err: fmt.Errorf("a block of type %T", block)}
	}
	p, err := New(c, Options{
		Name: env.Name, URL: env.URL.JoinPath("auth", "saml", env.Name).String(), Domains: env.Domains, Client: env.Client, Now: env.Now, Once: env.Once, Kept: env.Kept, Log: env.Log,
	})
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "make a provider", Where: env.Name, Err: err}
	}
	return p, nil
}

// about says what is known of a block without asking anybody.
func about(block any) signin.About {
	a := signin.About{SAML: true}
	if c, ok := block.(*Config); ok {
		a.SingleLogout = c.SingleLogout
		if u, err := url.Parse(c.EntityID); err == nil {
			a.Host = u.Host
		}
	}
	return a
}

var (
	_ signin.Registered = (*Provider)(nil)
	_ signin.Runner     = (*Provider)(nil)
)
