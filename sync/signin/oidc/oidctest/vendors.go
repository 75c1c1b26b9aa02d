package oidctest

import (
	"maps"
	"strings"
)

// What follows are the forms of vendors, as their documentation has them: where what is, what the discovery document says of it, and what tokens say. What
// oidc-provider cannot carry is in Issuer alone: an issuer without its scheme (Google), at_hash in the code flow (Google, Okta), keys of several tenants in one set (Entra).

// Client is us there.
type Client struct{ ID, Secret, Callback, SignedOut string }

// registered is a client by RFC 7591.
func (c Client) registered(method string) []map[string]any {
	client := map[string]any{
		"client_id": c.ID, "client_secret": c.Secret, "redirect_uris": []string{c.Callback}, "token_endpoint_auth_method": method,
		"grant_types": []string{"authorization_code"}, "response_types": []string{"code"},
	}
	if c.SignedOut != "" {
		client["post_logout_redirect_uris"] = []string{c.SignedOut}
	}
	return []map[string]any{client}
}

// Of are the claims of some accounts.
type Of = map[string]map[string]any

// with adds the claims that every account has.
func with(people Of, all map[string]any) Of {
	out := Of{}
	for account, own := range people {
		out[account] = maps.Clone(all)
		maps.Copy(out[account], own)
		maps.DeleteFunc(out[account], func(_ string, v any) bool { return v == nil })
	}
	return out
}

const (
	wellKnown = "/.well-known/openid-configuration"
	microsoft = "https://login.microsoftonline.com"
	post      = "client_secret_post"
)

// microsoftOnes are what the three kinds of tenants at Microsoft have in common.
func microsoftOnes(v Vendor, c Client) Vendor {
	v.Routes = map[string]string{
		"authorization": "/oauth2/v2.0/authorize", "token": "/oauth2/v2.0/token", "jwks": "/discovery/v2.0/keys", "end_session": "/oauth2/v2.0/logout",
		"userinfo": "/oidc/userinfo",
	}
	v.Methods = []string{post, "private_key_jwt"}
	v.Metadata = map[string]any{"authorization_response_iss_parameter_supported": nil, "userinfo_endpoint": nil}
	v.Silent, v.Clients = true, c.registered(post)
	return v
}

// Entra is one tenant of Microsoft Entra ID, by its own name and as one of many (organizations and common).
func Entra(tenant string, c Client, people Of) Vendor {
	v := microsoftOnes(Vendor{
		Address: microsoft + "/" + tenant, Issuer: microsoft + "/" + tenant + "/v2.0", Discovery: "/" + tenant + "/v2.0" + wellKnown,
		KeyIssuer: microsoft + "/{tenantid}/v2.0", Prompts: []string{"select_account"},
		People: with(people, map[string]any{"ver": "2.0", "tid": tenant, "uti": "x", "rh": "x", "login_hint": "opaque"}),
	}, c)
	v.Also = []Authority{{Host: "graph.microsoft.com", Mount: "/", Issuer: v.Issuer}}
	for _, many := range []string{"organizations", "common"} {
		v.Also = append(v.Also, Authority{Mount: "/" + many, Discovery: "/" + many + "/v2.0" + wellKnown, Issuer: microsoft + "/{tenantid}/v2.0"})
	}
	v.Metadata["userinfo_endpoint"] = "https://graph.microsoft.com/oidc/userinfo"
	return v
}

// B2C is one user flow of an Azure AD B2C tenant, which has a first name and an id. With the flow in its name (tfp) the issuer is another one.
func B2C(name, tenant, flow string, tfp bool, c Client, people Of) Vendor {
	host, path := "https://"+name+".b2clogin.com", "/"+name+".onmicrosoft.com/"+flow
	v := microsoftOnes(Vendor{
		Address: host + path, Issuer: host + "/" + tenant + "/v2.0/", Discovery: path + "/v2.0" + wellKnown,
		People: with(people, map[string]any{"ver": "1.0", "tfp": flow}),
	}, c)
	if tfp {
		v.Issuer = host + "/tfp/" + tenant + "/" + strings.ToLower(flow) + "/v2.0/"
	}
	return v
}

// External is an external tenant of Microsoft Entra External ID.
func External(subdomain, tenant string, c Client, people Of) Vendor {
	return microsoftOnes(Vendor{
		Address: "https://" + subdomain + ".ciamlogin.com/" + tenant, Issuer: "https://" + tenant + ".ciamlogin.com/" + tenant + "/v2.0",
		Discovery: "/" + tenant + "/v2.0" + wellKnown, Prompts: []string{"select_account", "create"},
		People: with(people, map[string]any{"ver": "2.0", "tid": tenant}),
	}, c)
}

// Okta is an organisation, with its own authorization server where server is blank. The ID token is thin.
func Okta(host, server string, c Client, people Of) Vendor {
	base, address := "/oauth2/v1", "https://"+host
	if server != "" {
		base, address = "/v1", address+"/oauth2/"+server
	}
	return Vendor{
		Address: address,
		Routes: map[string]string{
			"authorization": base + "/authorize", "token": base + "/token", "jwks": base + "/keys", "userinfo": base + "/userinfo", "end_session": base + "/logout",
		},
		Methods: []string{"client_secret_basic", post, "private_key_jwt"}, Metadata: map[string]any{"authorization_response_iss_parameter_supported": nil},
		Silent: true, Clients: c.registered("client_secret_basic"), UserInfo: []string{"email", "email_verified", "name", "zoneinfo"},
		People: with(people, map[string]any{"ver": 1, "idp": "00o1", "zoneinfo": "Europe/Vienna"}),
	}
}

// Google is Google, with its endpoints at four hosts.
func Google(c Client, people Of) Vendor {
	const issuer = "https://accounts.google.com"
	at := func(host string) Authority { return Authority{Host: host, Mount: "/", Issuer: issuer} }
	return Vendor{
		Address: issuer,
		Also:    []Authority{at("oauth2.googleapis.com"), at("www.googleapis.com"), at("openidconnect.googleapis.com")},
		Routes:  map[string]string{"authorization": "/o/oauth2/v2/auth", "token": "/token", "jwks": "/oauth2/v3/certs", "userinfo": "/v1/userinfo"},
		Methods: []string{post, "client_secret_basic"},
		Metadata: map[string]any{
			"authorization_response_iss_parameter_supported": nil, "end_session_endpoint": nil, "token_endpoint": "https://oauth2.googleapis.com/token",
			"jwks_uri": "https://www.googleapis.com/oauth2/v3/certs", "userinfo_endpoint": "https://openidconnect.googleapis.com/v1/userinfo",
		},
		Prompts: []string{"select_account"}, Silent: true, Clients: c.registered(post), People: with(people, map[string]any{"azp": c.ID}),
	}
}

// Delinea is an application of a Delinea Platform or Centrify tenant, whose claims its administrator scripts.
func Delinea(host, app string, c Client, people Of) Vendor {
	return Vendor{
		Address: "https://" + host + "/" + app, Issuer: "https://" + host + "/" + app + "/", Methods: []string{post, "client_secret_basic"},
		Metadata: map[string]any{"authorization_response_iss_parameter_supported": nil, "userinfo_endpoint": nil},
		Silent:   true, Clients: c.registered(post), People: people,
	}
}
