package oidc

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dirsyncd/sync/signin"
)

// userInfo asks for what the ID token lacks (OpenID Connect Core section 5.3). Where nothing is missing, or there is no such endpoint, it is left.
func (p *Provider) userInfo(ctx context.Context, c *checks, v *verified, access string) error {
	const most = 64 << 10
	needed := slices.Concat(p.preset.needs, p.o.Claims)
	missing := slices.ContainsFunc(needed, func(name string) bool {
		_, there := v.claims[name]
		outer, _, _ := strings.Cut(name, ".") // what is inside another
		_, inside := v.claims[outer]
		return !there && !inside && !slices.Contains(ofTheToken, name)
	})
	d, err := v.site.discovery(ctx)
	if err != nil || !missing || d.UserInfo == "" || access == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answers)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.UserInfo, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+access)
	req.Header.Set("Accept", "application/json")
	status, header, body, err := p.send(req, most)
	if err != nil {
		return &signin.Refusal{Reason: signin.ProviderUnreachable, Text: "read UserInfo: " + d.UserInfo + ": " + err.Error()}
	}
	if status != http.StatusOK {
		return &signin.Refusal{
			Reason: signin.ProviderUnreachable, Text: fmt.Sprintf("read UserInfo: %s: status %d", d.UserInfo, status),
			Hint: "or have the provider put " + strings.Join(needed, " and ") + " into the ID token",
		}
	}
	if strings.HasPrefix(header.Get("Content-Type"), "application/jwt") {
		return c.refuse(signin.Malformed, "UserInfo is signed or encrypted", "set it to plain JSON at the provider")
	}
	more, err := readClaims(body)
	if err != nil {
		return c.refuse(signin.Malformed, "UserInfo cannot be read", "")
	}
	sub, _ := more["sub"].(string)
	if r := c.that("UserInfo is of the same person", sub != "" && equal(sub, v.claims.text("sub")), "", signin.ClaimRefused,
		"UserInfo speaks of another person than the token", ""); r != nil {
		return r
	}
	v.claims.add(more)
	return nil
}
