package microsoftsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// authority answers for the sign-in service: metadata, keys and tokens of a tenant.
func (s *Server) authority(x *exchange) {
	name, _, _ := strings.Cut(strings.Trim(x.r.URL.Path, "/"), "/")
	x.out.Set("Content-Type", "application/json; charset=utf-8")
	shared := name == "common" || name == "organizations" || name == "consumers"
	switch path := x.path; {
	case strings.HasSuffix(path, "discovery/v2.0/keys"), strings.HasSuffix(path, "discovery/keys"):
		x.answer(http.StatusOK, []byte(`{"keys":[]}`))
	case !shared && (x.tenant == nil || x.tenant.isGone()):
		x.fail(90002)
	case path == "v2.0/.well-known/openid-configuration", path == ".well-known/openid-configuration":
		x.metadata(name, strings.HasPrefix(path, "v2.0"))
	case x.r.Method == http.MethodPost && (path == "oauth2/v2.0/token" || path == "oauth2/token"):
		if shared {
			x.fail(9001023)
			return
		}
		x.token(path == "oauth2/token")
	default:
		x.answer(http.StatusNotFound, []byte(`{"error":"invalid_request","error_description":"not here"}`))
	}
}

func (x *exchange) metadata(name string, v2 bool) {
	root := x.s.URL() + "/" + name
	id := "{tenantid}"
	if x.tenant != nil {
		id = x.tenant.id
	}
	m := map[string]any{
		"issuer": x.s.URL() + "/" + id + "/v2.0", "token_endpoint": root + "/oauth2/v2.0/token",
		"authorization_endpoint": root + "/oauth2/v2.0/authorize", "jwks_uri": root + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt"},
		"response_types_supported":              []string{"code", "id_token"}, "subject_types_supported": []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "tenant_region_scope": "EU",
	}
	if !v2 {
		m["issuer"], m["token_endpoint"] = x.s.URL()+"/"+id+"/", root+"/oauth2/token"
	}
	body, _ := json.Marshal(m) // plain data
	x.answer(http.StatusOK, body)
}

// token answers a request for a token.
func (x *exchange) token(v1 bool) {
	raw, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	form, parseErr := url.ParseQuery(string(raw))
	if err != nil || parseErr != nil {
		x.fail(900144)
		return
	}
	client := form.Get("client_id")
	if code := x.s.refusedCode(x.tenant.id, client); code != 0 {
		x.fail(code)
		return
	}
	app := x.s.app(client)
	if app == nil {
		x.fail(700016)
		return
	}
	if code := x.s.authenticate(app, form); code != 0 {
		x.fail(code)
		return
	}
	audience := strings.TrimSuffix(form.Get("resource"), "/")
	if !v1 {
		first, _, _ := strings.Cut(form.Get("scope"), " ")
		i := strings.LastIndexByte(first, '/')
		if i < 0 || form.Get("grant_type") == "client_credentials" && first[i:] != "/.default" {
			x.fail(70011)
			return
		}
		audience = strings.TrimSuffix(first[:i], "/")
	}
	c := claims{Audience: audience, Issuer: x.s.URL() + "/" + x.tenant.id + "/v2.0", Tenant: x.tenant.id, App: client, Object: newGUID()}
	granted, present := x.tenant.granted(client)
	refresh := ""
	switch form.Get("grant_type") {
	case "client_credentials":
		if !present {
			x.fail(700016)
			return
		}
		c.Roles = slices.Clone(granted.roles)
	case "refresh_token":
		var code int
		if c.User, refresh, code = x.s.useRefresh(form.Get("refresh_token"), client, x.tenant); code != 0 {
			x.fail(code)
			return
		}
		c.Scopes = strings.Join(granted.scopes, " ")
	default:
		x.fail(70003)
		return
	}
	x.grantToken(c, refresh, v1)
}

func (x *exchange) grantToken(c claims, refresh string, v1 bool) {
	seconds := int(x.s.o.AccessLife.Seconds()) - 1
	out := map[string]any{"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": x.s.issueAccess(c)}
	if v1 {
		out["expires_in"], out["expires_on"] = itoa(seconds), fmt.Sprint(x.s.o.Now().Unix()+int64(seconds))
		out["not_before"], out["resource"] = fmt.Sprint(x.s.o.Now().Unix()), c.Audience
	}
	if c.User != "" {
		out["scope"] = c.Scopes
	}
	if refresh != "" {
		out["refresh_token"] = refresh
	}
	body, _ := json.Marshal(out) // plain data
	x.answer(http.StatusOK, body)
}

// useRefresh takes a refresh token for a tenant, and hands out the next one.
func (s *Server) useRefresh(token, client string, t *Tenant) (user, next string, code int) {
	granted, present := t.granted(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.refresh[token]
	now := s.o.Now()
	switch {
	case r == nil || r.app != client:
		return "", "", 70000
	case r.revoked:
		return "", "", 50173
	case now.Sub(r.used) > s.o.RefreshLife:
		return "", "", 700082
	case r.home != t.id && !s.partner.mayManage(t.id, now):
		return "", "", 50020
	case !present || len(granted.scopes) == 0:
		if r.home != t.id {
			return "", "", 65001
		}
	}
	r.used = now
	if !s.quirks.KeepRefresh {
		next = s.issueRefresh(r.app, r.home, r.user)
	}
	r.revoked = s.quirks.RevokeOldRefresh
	return r.user, next, 0
}
