package scim

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/targets"
)

// What a service says of itself (ServiceProviderConfig) is a hint: services exist that say that they cannot filter and can, or
// the other way round. What is used is measured, on what is there, by reading.

// verdict is what was measured of one ability.
type verdict struct {
	measured, has bool
	detail        string
}

func (v *verdict) set(has bool, format string, args ...any) {
	*v = verdict{measured: true, has: has, detail: fmt.Sprintf(format, args...)}
}

// abilities of a service.
type abilities struct {
	pages    verdict // startIndex and count are heard
	userName verdict // filter `userName eq` finds exactly that one
	folded   verdict // and finds it in another case, too
	external verdict // filter `externalId eq`
	group    verdict // filter `displayName eq`
	patch    verdict // said, not measured: only a write could
	etag     verdict
	empty    bool // there was nobody to measure with
	at       time.Time
}

// lasting is how long a measurement is believed.
const lasting = 30 * 24 * time.Hour

// gauge measures the abilities when they are needed, and keeps them.
type gauge struct {
	client *client
	now    func() time.Time

	mu      sync.Mutex // held while measuring: all who need it wait for one measurement
	known   abilities
	created bool // something was made since
}

// get returns what is known, measured now if need be.
func (g *gauge) get(ctx context.Context) (abilities, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.known.at.IsZero() && g.now().Sub(g.known.at) < lasting && !(g.known.empty && g.created) {
		return g.known, nil
	}
	return g.measure(ctx)
}

// again measures anew.
func (g *gauge) again(ctx context.Context) (abilities, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.measure(ctx)
}

// made notes that there is somebody to measure with.
func (g *gauge) made() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.created = true
}

// cannot notes what a request has shown.
func (g *gauge) cannot(which func(*abilities) *verdict, detail string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	which(&g.known).set(false, "%s", detail)
}

func (g *gauge) measure(ctx context.Context) (abilities, error) {
	a := abilities{at: g.now()}
	g.created = false
	if err := g.hints(ctx, &a); err != nil {
		return a, err
	}
	first, err := g.client.list(ctx, users, url.Values{"startIndex": {"1"}, "count": {"2"}})
	if err != nil {
		return a, err
	}
	a.empty = len(first.resources) == 0
	if err := g.measurePages(ctx, first, &a); err != nil {
		return a, err
	}
	for _, r := range first.resources {
		if name := r.text("userName"); name != "" && !a.userName.measured {
			if err := g.measureFilter(ctx, users, "userName", name, &a.userName); err != nil {
				return a, err
			}
			if other := swapCase(name); a.userName.has && other != name {
				p, err := g.client.list(ctx, users, filtering("userName", other, nil))
				if err != nil {
					return a, err
				}
				a.folded.set(len(p.resources) > 0, "the same name in another case: %d found", len(p.resources))
			}
		}
		if id := r.text("externalId"); id != "" && !a.external.measured {
			if err := g.measureFilter(ctx, users, "externalId", id, &a.external); err != nil {
				return a, err
			}
		}
	}
	groups, err := g.client.list(ctx, groups, url.Values{"startIndex": {"1"}, "count": {"2"}, "excludedAttributes": {"members"}})
	if err != nil && fault.ClassOf(err) != fault.Gone { // a service without groups
		return a, err
	}
	if len(groups.resources) > 0 {
		if name := groups.resources[0].text("displayName"); name != "" {
			if err := g.measureFilter(ctx, "Groups", "displayName", name, &a.group); err != nil {
				return a, err
			}
		}
	}
	g.known = a
	return a, nil
}

func (g *gauge) hints(ctx context.Context, a *abilities) error {
	answer, err := g.client.send(ctx, http.MethodGet, "/ServiceProviderConfig", nil, nil)
	switch {
	case fault.ClassOf(err) == fault.Auth:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return nil // many have none
	}
	for name, v := range map[string]*verdict{"patch": &a.patch, "etag": &a.etag} {
		part, _ := answer.body.at(name)
		m, _ := part.(map[string]any)
		if says, known := resource(m).flag("supported"); known {
			v.set(says, "as the service says")
		}
	}
	return nil
}

// measurePages asks for the resources after the first two: others must come, or none.
func (g *gauge) measurePages(ctx context.Context, first page, a *abilities) error {
	if len(first.resources) > 2 {
		a.pages.set(false, "asked for 2, the service sent %d", len(first.resources))
		return nil
	}
	if first.total <= 2 {
		return nil
	}
	second, err := g.client.list(ctx, users, url.Values{"startIndex": {"3"}, "count": {"2"}})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, r := range first.resources {
		seen[r.text("id")] = true
	}
	for _, r := range second.resources {
		if seen[r.text("id")] {
			a.pages.set(false, "the second page holds what was on the first one")
			return nil
		}
	}
	a.pages.set(len(second.resources) > 0, "the second page holds %d others of %d", len(second.resources), first.total)
	return nil
}

// measureFilter asks for a value that is there and for one that is not.
func (g *gauge) measureFilter(ctx context.Context, kind, name, value string, v *verdict) error {
	known, err := g.client.list(ctx, kind, filtering(name, value, nil))
	if refusalOf(err).Status/100 == 4 && fault.ClassOf(err) == fault.Invalid {
		v.set(false, "%s", refusalOf(err).Type)
		return nil
	}
	if err != nil {
		return err
	}
	nobody, err := g.client.list(ctx, kind, filtering(name, "nobody-"+rand.Text(), nil))
	if err != nil {
		return err
	}
	found := len(known.resources) == 1 && strings.EqualFold(known.resources[0].text(name), value)
	v.set(found && len(nobody.resources) == 0, "a name that is there: %d found, one that is not: %d", len(known.resources), len(nobody.resources))
	return nil
}

// filtering is the query for one value of an attribute, with what is asked beside.
func filtering(name, value string, beside url.Values) url.Values {
	q := url.Values{"filter": {name + " eq " + quoted(value)}}
	for k, v := range beside {
		q[k] = v
	}
	return q
}

// swapCase returns a text in another case; the same where it has none.
func swapCase(s string) string {
	if upper := strings.ToUpper(s); upper != s {
		return upper
	}
	return strings.ToLower(s)
}

// list is the abilities for the operator.
func (a *abilities) list() []targets.Ability {
	var out []targets.Ability
	for _, named := range []struct {
		name string
		verdict
	}{
		{"pages", a.pages}, {"filter by userName", a.userName}, {"filter in any case", a.folded}, {"filter by externalId", a.external},
		{"filter by displayName", a.group}, {"patch", a.patch}, {"etag", a.etag},
	} {
		detail := named.detail
		if !named.measured {
			detail = "could not be measured: there is nothing to measure with"
		}
		out = append(out, targets.Ability{Name: named.name, Has: named.has, Detail: detail})
	}
	return out
}
