package entra

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"dirsyncd/connectors"
	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Check signs in and asks for one entry of every list, so that each missing permission is a finding of its own.
func (r *Reader) Check(ctx context.Context) ([]connectors.Finding, error) {
	token, err := r.client.tokens.Get(ctx, "")
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return []connectors.Finding{connectors.Failed("sign-in", err)}, nil
	}
	findings := []connectors.Finding{{Subject: "sign-in", OK: true, Detail: "tenant " + r.sel.Tenant}}
	claims, readable := readClaims(token)
	if readable && claims.Tenant != "" && looksLikeID(r.sel.Tenant) && !strings.EqualFold(claims.Tenant, r.sel.Tenant) {
		findings[0] = connectors.Finding{
			Subject: "sign-in", Detail: "the token is for tenant " + claims.Tenant, Hint: "correct tenant, or use the identity of that tenant",
		}
	}
	for _, p := range r.probes() {
		f := r.probe(ctx, p, claims.granted(), readable)
		if ctx.Err() != nil {
			return findings, context.Cause(ctx)
		}
		findings = append(findings, f)
		if p.stream == streamUsers && r.sel.tracks() && f.OK {
			findings = append(findings, r.checkTracking(ctx))
		}
	}
	if ctx.Err() != nil {
		return findings, context.Cause(ctx)
	}
	return findings, nil
}

// probe is something small to ask for and the permissions of which one lets it through, the least first.
type probe struct {
	stream      string
	permissions []string
	ask         func(ctx context.Context) error
}

func (r *Reader) probes() []probe {
	requests := r.client.requests
	var list []probe
	add := func(stream string, permissions []string, address func() (*url.URL, error)) {
		list = append(list, probe{stream, permissions, func(ctx context.Context) error {
			_, err := r.firstOf(ctx, stream, address)
			return err
		}})
	}
	someone := func() (*url.URL, error) { return requests.userList([]string{"id"}, false, 1, "") }
	add(streamUsers, userPermissions(), someone)
	if r.sel.LeaveDate {
		add(streamUsers+", leave date", leavePermissions(), func() (*url.URL, error) { return requests.userList([]string{"id", leaveDate}, false, 1, "") })
	}
	if r.sel.SignInActivity {
		add(streamUsers+", sign-in activity", signInPermissions(), func() (*url.URL, error) {
			return requests.userList([]string{"id", "signInActivity"}, false, 1, "")
		})
	}
	if r.sel.Photos {
		list = append(list, probe{streamUsers + ", photos", photoPermissions(), func(ctx context.Context) error {
			id, err := r.firstOf(ctx, streamUsers, someone)
			if err != nil || id == "" {
				return err
			}
			// What is odd about one photo says nothing about permissions.
			return r.photosOf(ctx, []string{id}, func(string, directory.Value, error) {})
		}})
	}
	if r.sel.Groups {
		add(streamGroups, groupPermissions(), func() (*url.URL, error) { return requests.groupList([]string{"id"}, r.sel.GroupOwners, 1) })
	}
	if r.sel.Licences {
		add(streamLicences, licencePermissions(), requests.subscribedSKUs)
	}
	if r.sel.Devices {
		add(streamDevices, devicePermissions(), func() (*url.URL, error) { return requests.managedDevices([]string{"id"}, 1) })
	}
	return list
}

// firstOf asks for a list and returns the id of its first entry, empty when it has none.
func (r *Reader) firstOf(ctx context.Context, stream string, address func() (*url.URL, error)) (id string, err error) {
	u, err := address()
	if err != nil {
		return "", err
	}
	body, err := r.client.get(ctx, u, "")
	if err != nil {
		return "", err
	}
	page, err := openEnvelope("read "+stream, body)
	if err != nil {
		return "", err
	}
	if w := jsonscan.Enter(page.value); w.More() {
		id, _ = w.Value().Member("id").Text()
	}
	return id, nil
}

// probe makes the request. What the token says about permissions only explains: the service decides.
func (r *Reader) probe(ctx context.Context, p probe, granted []string, readable bool) connectors.Finding {
	subject := "permission " + p.permissions[0]
	switch err := p.ask(ctx); {
	case FeatureAbsent(err) && r.sel.DevicesIfAny:
		return connectors.Finding{Subject: p.stream, OK: true, Detail: "the tenant has no Intune"}
	case err != nil && fault.ClassOf(err) == fault.Forbidden && readable:
		f := connectors.Failed(subject, err)
		f.Detail += fmt.Sprintf("; granted: %s", orNothing(granted))
		if i := slices.IndexFunc(p.permissions, func(name string) bool { return slices.Contains(granted, name) }); i >= 0 {
			f.Hint = heldHint(p.permissions[i])
		}
		return f
	case err != nil && fault.ClassOf(err) == fault.Forbidden:
		return connectors.Failed(subject, err)
	case err != nil:
		return connectors.Failed(p.stream, err)
	}
	detail := "may read " + p.stream
	if i := slices.IndexFunc(granted, func(name string) bool { return strings.Contains(name, "ReadWrite") }); i >= 0 {
		detail += "; " + granted[i] + " is granted, and reading needs no more than " + p.permissions[0]
	}
	return connectors.Finding{Subject: subject, OK: true, Detail: detail}
}

// checkTracking asks whether the tenant can say what changed.
func (r *Reader) checkTracking(ctx context.Context) connectors.Finding {
	const subject = "change tracking"
	u, err := r.client.requests.usersDelta([]string{"id"})
	if err == nil {
		// The position of now costs one small answer, whatever the size of the tenant.
		u.RawQuery += "&$deltatoken=latest"
		_, err = r.client.get(ctx, u, "")
	}
	switch {
	case untracked(err):
		return connectors.Finding{
			Subject: subject, Detail: "this kind of tenant does not track changes, so every read is a full one",
			Hint: "set tenant_type: b2c, or external for an External ID tenant",
		}
	case err != nil:
		return connectors.Failed(subject, err)
	}
	return connectors.Finding{Subject: subject, OK: true, Detail: "incremental reads work"}
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}

// looksLikeID reports whether a tenant is named by its GUID rather than by a domain.
func looksLikeID(tenant string) bool { return len(tenant) == 36 && strings.Count(tenant, "-") == 4 }
