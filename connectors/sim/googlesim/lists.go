package googlesim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (c *call) users() *answer {
	custom, schemas := c.projection()
	list := c.customer.live()
	if c.query.Get("showDeleted") == "true" {
		list = nil
		for _, u := range c.customer.users {
			if c.customer.buried(u) {
				list = append(list, u)
			}
		}
		slices.SortFunc(list, func(a, b *User) int { return strings.Compare(a.ID, b.ID) })
		return c.list("admin#directory#users", "users", 100, 500, len(list), func(i int) string { return list[i].ID },
			func(i int) any { return c.customer.userResource(list[i], false, "") })
	}
	if query := c.query.Get("query"); query != "" {
		match, ok := parseQuery(query)
		if !ok {
			return c.s.refuse(http.StatusBadRequest, "invalid", "Invalid Input: query")
		}
		var found []*User
		for _, u := range list {
			if match(u) {
				found = append(found, u)
			}
		}
		list = found
	}
	key := func(i int) string { return strings.ToLower(list[i].Email) }
	if c.query.Get("sortOrder") == "DESCENDING" {
		list = slices.Clone(list)
		slices.Reverse(list)
		if c.query.Get("maxResults") != "1" {
			return c.s.refuse(http.StatusBadRequest, "invalid", "the simulator lists one entry from the end")
		}
	}
	return c.list("admin#directory#users", "users", 100, 500, len(list), key,
		func(i int) any { return c.customer.userResource(list[i], custom, schemas) })
}

func (c *call) projection() (custom bool, schemas string) {
	switch c.query.Get("projection") {
	case "custom":
		return true, c.query.Get("customFieldMask")
	case "full":
		return true, ""
	}
	return false, ""
}

// parseQuery understands clauses of the forms orgUnitPath='/x', isSuspended=false and email:x*.
func parseQuery(text string) (func(*User) bool, bool) {
	var clauses []func(*User) bool
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		i := strings.IndexAny(text, "=:")
		if i < 0 {
			return nil, false
		}
		field, rest := text[:i], text[i+1:]
		var value string
		if strings.HasPrefix(rest, "'") {
			var b strings.Builder
			j := 1
			for ; j < len(rest) && rest[j] != '\''; j++ {
				if rest[j] == '\\' && j+1 < len(rest) {
					j++
				}
				b.WriteByte(rest[j])
			}
			if j == len(rest) {
				return nil, false
			}
			value, text = b.String(), rest[j+1:]
		} else {
			value, text, _ = strings.Cut(rest, " ")
		}
		switch field {
		case "orgUnitPath":
			clauses = append(clauses, func(u *User) bool {
				path, unit := strings.ToLower(u.Path), strings.ToLower(value)
				return unit == "/" || path == unit || strings.HasPrefix(path, unit+"/")
			})
		case "isSuspended":
			clauses = append(clauses, func(u *User) bool { return fmt.Sprint(u.Suspended) == value })
		case "email":
			clauses = append(clauses, func(u *User) bool {
				return strings.HasPrefix(strings.ToLower(u.Email), strings.TrimSuffix(strings.ToLower(value), "*"))
			})
		default:
			return nil, false
		}
	}
	return func(u *User) bool {
		for _, match := range clauses {
			if !match(u) {
				return false
			}
		}
		return true
	}, true
}

func (c *call) user() *answer {
	u := c.customer.find(c.parts[4])
	if u == nil {
		return c.notFound("userKey")
	}
	custom, schemas := c.projection()
	return c.single(c.customer.userResource(u, custom, schemas))
}

func (c *call) groups() *answer {
	list := c.customer.sortedGroups()
	key := func(i int) string { return strings.ToLower(list[i].Email) }
	if c.query.Get("sortOrder") == "DESCENDING" {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	return c.list("admin#directory#groups", "groups", 200, 200, len(list), key, func(i int) any { return groupResource(list[i]) })
}

func (c *call) findGroup(key string) *Group {
	if g := c.customer.groups[key]; g != nil {
		return g
	}
	for _, g := range c.customer.groups {
		if strings.EqualFold(g.Email, key) {
			return g
		}
	}
	return nil
}

func (c *call) group() *answer {
	g := c.findGroup(c.parts[4])
	if g == nil {
		return c.notFound("groupKey")
	}
	return c.single(groupResource(g))
}

func (c *call) members() *answer {
	g := c.findGroup(c.parts[4])
	if g == nil {
		return c.notFound("groupKey")
	}
	list := slices.Clone(g.Members)
	slices.SortFunc(list, func(a, b Member) int { return strings.Compare(a.ID+a.Email, b.ID+b.Email) })
	return c.list("admin#directory#members", "members", 200, 200, len(list), func(i int) string { return list[i].ID + list[i].Email },
		func(i int) any { return memberResource(&list[i]) })
}

func (c *call) whole() *answer {
	return c.single(map[string]any{"kind": "admin#directory#customer", "id": c.customer.ID, "customerDomain": c.customer.Domain, "etag": `"c"`})
}

func (c *call) chromeDevices() *answer {
	return c.devices("chromeosdevices", 300, c.customer.chrome, chromeResource)
}

func (c *call) mobileDevices() *answer {
	return c.devices("mobiledevices", 100, c.customer.mobile, mobileResource)
}

func (c *call) devices(key string, most int, all []*Device, render func(*Device) map[string]any) *answer {
	list := slices.Clone(all)
	slices.SortFunc(list, func(a, b *Device) int { return strings.Compare(a.ID, b.ID) })
	return c.list("admin#directory#"+key, key, 100, most, len(list), func(i int) string { return list[i].ID },
		func(i int) any { return render(list[i]) })
}

// activities lists the audit log, the newest first. What is not shown yet, and what is older than 180 days, is left
// out without a word.
func (c *call) activities() *answer {
	now := c.s.opts.Now()
	from := now.Add(-180 * 24 * time.Hour)
	if text := c.query.Get("startTime"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil || t.After(now) {
			return c.s.refuse(http.StatusBadRequest, "invalid", "Invalid Input: startTime")
		}
		if t.After(from) {
			from = t
		}
	}
	var list []*activity
	for _, a := range slices.Backward(c.customer.log) {
		if !a.shown.After(now) && !a.at.Before(from) {
			list = append(list, a)
		}
	}
	// Keys ascend while times descend.
	key := func(i int) string {
		return fmt.Sprintf("%020d %020d", int64(1<<62)-list[i].at.UnixNano(), uint64(list[i].qualifier))
	}
	slices.SortStableFunc(list, func(a, b *activity) int {
		if d := b.at.Compare(a.at); d != 0 {
			return d
		}
		if uint64(a.qualifier) < uint64(b.qualifier) {
			return -1
		}
		return 1
	})
	return c.list("reports#activities", "items", 1000, 1000, len(list), key, func(i int) any { return list[i].resource(c.customer.ID) })
}

func (c *call) assignments() *answer {
	product := c.parts[4]
	if !c.customer.products[product] {
		return c.s.refuse(http.StatusNotFound, "notFound", "Product not found")
	}
	var list []*Licence
	for _, l := range c.customer.licences {
		if l.Product == product {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b *Licence) int { return strings.Compare(a.SKU+" "+a.Email, b.SKU+" "+b.Email) })
	return c.list("licensing#licenseAssignmentList", "items", 100, 1000, len(list), func(i int) string { return list[i].SKU + " " + list[i].Email },
		func(i int) any { return licenceResource(list[i]) })
}

func (c *call) assignment() *answer {
	for _, l := range c.customer.licences {
		if l.Product == c.parts[4] && l.SKU == c.parts[6] && strings.EqualFold(l.Email, c.parts[8]) {
			return c.single(licenceResource(l))
		}
	}
	return c.notFound("userId")
}

func (c *call) chromeDevice() *answer { return c.device(c.customer.chrome, chromeResource) }

func (c *call) mobileDevice() *answer { return c.device(c.customer.mobile, mobileResource) }

func (c *call) device(all []*Device, render func(*Device) map[string]any) *answer {
	id := c.parts[len(c.parts)-1]
	i := slices.IndexFunc(all, func(d *Device) bool { return d.ID == id })
	if i < 0 {
		return c.notFound("deviceId")
	}
	return c.single(render(all[i]))
}
