package googlesim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// call is a request that may be made.
type call struct {
	s        *Server
	customer *Customer
	subject  string
	query    url.Values
	path     string
	parts    []string // of the path
	handle   func(*call) *answer
}

// route finds out what a request asks for and whether it may.
func (s *Server) route(r *http.Request) (*call, *answer) {
	c := &call{s: s, query: values(r), path: r.URL.Path, parts: strings.Split(strings.Trim(r.URL.Path, "/"), "/")}
	var scopes []string
	named := c.query.Get("customer")
	is := func(pattern string) bool {
		want := strings.Split(pattern, "/")
		if len(want) != len(c.parts) {
			return false
		}
		for i, part := range want {
			if part != "*" && part != c.parts[i] {
				return false
			}
		}
		return true
	}
	switch {
	case is("admin/directory/v1/users"):
		c.handle, scopes = (*call).users, []string{"admin.directory.user.readonly"}
		if named == "" && c.query.Get("domain") == "" {
			return nil, s.refuse(http.StatusBadRequest, "badRequest", "Bad Request")
		}
	case is("admin/directory/v1/users/*"):
		c.handle, scopes = (*call).user, []string{"admin.directory.user.readonly"}
	case is("admin/directory/v1/groups"):
		c.handle, scopes = (*call).groups, []string{"admin.directory.group.readonly"}
		if named == "" {
			return nil, s.refuse(http.StatusBadRequest, "badRequest", "Bad Request")
		}
	case is("admin/directory/v1/groups/*"):
		c.handle, scopes = (*call).group, []string{"admin.directory.group.readonly"}
	case is("admin/directory/v1/groups/*/members"):
		c.handle, scopes = (*call).members, []string{"admin.directory.group.member.readonly", "admin.directory.group.readonly"}
	case is("admin/directory/v1/customers/*"):
		c.handle, scopes, named = (*call).whole, []string{"admin.directory.customer.readonly"}, c.parts[4]
	case is("admin/directory/v1/customer/*/devices/chromeos"):
		c.handle, scopes, named = (*call).chromeDevices, []string{"admin.directory.device.chromeos.readonly"}, c.parts[4]
	case is("admin/directory/v1/customer/*/devices/chromeos/*"):
		c.handle, scopes, named = (*call).chromeDevice, []string{"admin.directory.device.chromeos.readonly"}, c.parts[4]
	case is("admin/directory/v1/customer/*/devices/mobile/*"):
		c.handle, scopes, named = (*call).mobileDevice, []string{"admin.directory.device.mobile.readonly"}, c.parts[4]
	case is("admin/directory/v1/customer/*/devices/mobile"):
		c.handle, scopes, named = (*call).mobileDevices, []string{"admin.directory.device.mobile.readonly"}, c.parts[4]
	case is("admin/reports/v1/activity/users/all/applications/admin"):
		c.handle, scopes, named = (*call).activities, []string{"admin.reports.audit.readonly"}, c.query.Get("customerId")
	case is("apps/licensing/v1/product/*/users"):
		c.handle, scopes, named = (*call).assignments, []string{"apps.licensing"}, c.query.Get("customerId")
		if named == "" || named == "my_customer" {
			return nil, s.refuse(http.StatusBadRequest, "invalid", "Invalid value for: customerId")
		}
	case is("apps/licensing/v1/product/*/sku/*/user/*"):
		c.handle, scopes = (*call).assignment, []string{"apps.licensing"}
	case is("apps/reseller/v1/subscriptions"):
		c.handle, scopes = (*call).soldSubscriptions, []string{"apps.order.readonly"}
	case is("apps/reseller/v1/customers/*"):
		c.handle, scopes = (*call).soldCustomer, []string{"apps.order.readonly"}
	default:
		return nil, s.refuse(http.StatusNotFound, "notFound", "Not Found")
	}
	if refused := s.admit(c, r, scopes, named); refused != nil {
		return nil, refused
	}
	return c, nil
}

// admit looks at the token, its scopes and the customer.
func (s *Server) admit(c *call, r *http.Request, scopes []string, named string) *answer {
	token, ok := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if !ok || !token.expires.After(time.Now()) {
		return s.refuse(http.StatusUnauthorized, "authError", "Invalid Credentials")
	}
	allowed := false
	for _, have := range token.scopes {
		for _, want := range scopes {
			allowed = allowed || have == want && !s.denied[have]
		}
	}
	if !allowed {
		return s.refuse(http.StatusForbidden, "insufficientPermissions", "Request had insufficient authentication scopes.")
	}
	c.subject, c.customer = token.subject, s.customerOf(token.subject)
	if c.customer == nil {
		return s.refuse(http.StatusForbidden, "forbidden", "Not Authorized to access this resource/api")
	}
	if named == "" && s.resells(token.subject) && strings.HasPrefix(c.path, "/admin/directory/") {
		c.customer = s.reseller.holder(c)
	}
	if named == "" || named == "my_customer" || named == c.customer.ID {
		return nil
	}
	if open := s.reseller.open(named); open != nil && s.resells(token.subject) {
		c.customer = open
		return nil
	}
	for _, other := range s.customers {
		if other.ID == named {
			return s.refuse(http.StatusForbidden, "forbidden", "Not Authorized to access this resource/api")
		}
	}
	return s.refuse(http.StatusNotFound, "notFound", "Resource Not Found: customer")
}

func (c *call) answer() *answer { return c.handle(c) }

// single answers with one resource.
func (c *call) single(m map[string]any) *answer {
	if text := c.query.Get("fields"); text != "" {
		m, _ = parseMask(text).apply(m).(map[string]any)
	}
	return &answer{http.StatusOK, m}
}

func (c *call) notFound(what string) *answer {
	return c.s.refuse(http.StatusNotFound, "notFound", "Resource Not Found: "+what)
}

// pageToken says where a listing goes on. It is bound to the other parameters.
type pageToken struct {
	After  string `json:"after"`
	Query  string `json:"query"`
	Epoch  int    `json:"epoch"`
	Issued int64  `json:"issued"`
}

// list answers with a page of n entries that have ascending keys.
func (c *call) list(kind, key string, standard, most int, n int, keyOf func(i int) string, render func(i int) any) *answer {
	size := standard
	if text := c.query.Get("maxResults"); text != "" {
		size, _ = strconv.Atoi(text) // what is no number is too small
		if size < 1 {
			return c.s.refuse(http.StatusBadRequest, "invalid", "Invalid Input: maxResults")
		}
	}
	size = min(size, most)
	if c.s.opts.PageCap > 0 {
		size = min(size, c.s.opts.PageCap)
	}
	bound := url.Values{}
	for name, v := range c.query {
		if name != "pageToken" {
			bound[name] = v
		}
	}
	here := pageToken{Query: c.path + "?" + bound.Encode(), Epoch: c.s.epoch, Issued: c.s.opts.Now().Unix()}
	from := 0
	if text := c.query.Get("pageToken"); text != "" {
		var t pageToken
		data, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || json.Unmarshal(data, &t) != nil || t.Query != here.Query || t.Epoch != here.Epoch || here.Issued-t.Issued > 3*24*60*60 {
			return c.s.refuse(http.StatusBadRequest, "invalid", "Invalid Input: pageToken")
		}
		for from < n && keyOf(from) <= t.After {
			from++
		}
	}
	page := make([]any, 0, size)
	end := from
	for ; end < n && len(page) < size; end++ {
		page = append(page, render(end))
	}
	doc := map[string]any{"kind": kind, "etag": fmt.Sprintf("%q", strconv.Itoa(from))}
	if len(page) > 0 {
		doc[key] = page
	}
	if end < n {
		here.After = keyOf(end - 1)
		data, err := json.Marshal(here)
		if err != nil {
			panic(err) // texts and numbers only
		}
		doc["nextPageToken"] = base64.RawURLEncoding.EncodeToString(data)
	}
	return c.single(doc)
}
