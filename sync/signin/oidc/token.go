package oidc

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// claims are what a token or UserInfo says. Numbers are json.Number.
type claims map[string]any

// split takes a signed token apart without believing any of it (RFC 7515 section 7.1).
func split(raw string) (header, claims, error) {
	parts := strings.Split(raw, ".")
	switch len(parts) {
	case 3:
	case 5:
		return header{}, nil, errors.New("the token is encrypted")
	default:
		return header{}, nil, errors.New("it is no token")
	}
	var h header
	head, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(head, &h) != nil {
		return header{}, nil, errors.New("the head of the token cannot be read")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return header{}, nil, errors.New("the token cannot be read")
	}
	c, err := readClaims(body)
	return h, c, err
}

func readClaims(data []byte) (claims, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var c claims
	if err := d.Decode(&c); err != nil || c == nil {
		return nil, errors.New("the claims cannot be read")
	}
	return c, nil
}

// text returns a claim that is a text, or a number as text; blank for anything else.
func (c claims) text(name string) string {
	switch v := c[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// first returns a claim that is a text, or the first of a list of texts, such as `emails` of Azure AD B2C.
func (c claims) first(name string) string {
	if list := c.list(name); len(list) > 0 {
		return list[0]
	}
	return ""
}

// list returns a claim that is one text or a list of texts.
func (c claims) list(name string) []string { return texts(c[name]) }

// texts returns what is a scalar, or the scalars of a list.
func texts(value any) []string {
	switch v := value.(type) {
	case string:
		return []string{v}
	case json.Number:
		return []string{v.String()}
	case bool:
		if v {
			return []string{"true"}
		}
		return []string{"false"}
	case []any:
		var list []string
		for _, one := range v {
			if _, nested := one.([]any); !nested {
				list = append(list, texts(one)...)
			}
		}
		return list
	}
	return nil
}

// truth reports whether a claim says yes. Providers write it as a boolean, a number or a text.
func (c claims) truth(name string) bool {
	switch v := c[name].(type) {
	case bool:
		return v
	case string:
		return v == "1" || strings.EqualFold(v, "true")
	case json.Number:
		return v.String() == "1"
	}
	return false
}

// moment returns a claim that is a NumericDate (RFC 7519 section 2), to the second.
func (c claims) moment(name string) (time.Time, bool) {
	n, ok := c[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 253402300799 { // the end of the year 9999
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

// flat returns every claim by its name; what is inside another gets its name after a dot, such as address.country.
func (c claims) flat() map[string][]string {
	out := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(c)) {
		inner, ok := c[name].(map[string]any)
		if !ok {
			if list := texts(c[name]); len(list) > 0 {
				out[name] = list
			}
			continue
		}
		for _, below := range slices.Sorted(maps.Keys(inner)) {
			if list := texts(inner[below]); len(list) > 0 {
				out[name+"."+below] = list
			}
		}
	}
	return out
}

// ofTheToken are claims that say what the token is, or whom it speaks of; UserInfo adds none of them.
var ofTheToken = []string{
	"iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "sid", "acr", "amr", "auth_time", "at_hash", "c_hash",
	"tid", "oid", "hd", "idp", "tfp", "xms_edov", "login_hint", "_claim_names", "_claim_sources",
}

// add takes from UserInfo what the token lacks. A verification of an address counts for that address only.
func (c claims) add(more claims) {
	address, there := c["email"]
	for name, value := range more {
		if _, has := c[name]; has || slices.Contains(ofTheToken, name) {
			continue
		}
		if name == "email_verified" && there && more["email"] != address {
			continue
		}
		c[name] = value
	}
}
