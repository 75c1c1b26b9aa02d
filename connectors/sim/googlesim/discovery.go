package googlesim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// method is one call that a discovery document describes.
type method struct {
	id         string
	path       *regexp.Regexp
	parameters map[string]parameter
}

type parameter struct {
	Location string   `json:"location"`
	Maximum  string   `json:"maximum"`
	Minimum  string   `json:"minimum"`
	Enum     []string `json:"enum"`
	Required bool     `json:"required"`
}

type resource struct {
	Methods map[string]struct {
		ID         string               `json:"id"`
		Path       string               `json:"path"`
		HTTPMethod string               `json:"httpMethod"`
		Parameters map[string]parameter `json:"parameters"`
	} `json:"methods"`
	Resources map[string]resource `json:"resources"`
}

// parseDiscovery reads the GET methods of a discovery document.
func parseDiscovery(data []byte) ([]method, error) {
	var doc struct {
		resource
		ServicePath string               `json:"servicePath"`
		Parameters  map[string]parameter `json:"parameters"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("discovery document: %w", err)
	}
	var list []method
	var walk func(r resource)
	walk = func(r resource) {
		for _, m := range r.Methods {
			if m.HTTPMethod != http.MethodGet || strings.Contains(m.Path, "{+") {
				continue // names with slashes in them, which nothing here has
			}
			pattern := "^"
			for i, part := range regexp.MustCompile(`\{[a-zA-Z]+\}`).Split("/"+doc.ServicePath+m.Path, -1) {
				if i > 0 {
					pattern += "[^/]+"
				}
				pattern += regexp.QuoteMeta(part)
			}
			known := map[string]parameter{}
			for name, p := range doc.Parameters {
				known[name] = p
			}
			for name, p := range m.Parameters {
				known[name] = p
			}
			list = append(list, method{m.ID, regexp.MustCompile(pattern + "$"), known})
		}
		for _, inner := range r.Resources {
			walk(inner)
		}
	}
	walk(doc.resource)
	return list, nil
}

// violation says what about a request no discovery document allows.
func (s *Server) violation(r *http.Request) string {
	if len(s.methods) == 0 {
		return ""
	}
	i := slices.IndexFunc(s.methods, func(m method) bool { return m.path.MatchString(r.URL.Path) })
	if r.Method != http.MethodGet || i < 0 {
		return r.Method + " " + r.URL.Path + ": no such method"
	}
	m := s.methods[i]
	query := values(r)
	for name, given := range query {
		p, ok := m.parameters[name]
		if !ok || p.Location == "path" {
			return m.id + ": no parameter " + name
		}
		if len(given) != 1 {
			return m.id + ": " + name + " is given twice"
		}
		if len(p.Enum) > 0 && !slices.Contains(p.Enum, given[0]) {
			return m.id + ": " + name + "=" + given[0]
		}
		n, err := strconv.Atoi(given[0])
		most, mostErr := strconv.Atoi(p.Maximum)
		if mostErr == nil && (err != nil || n > most) {
			return m.id + ": " + name + "=" + given[0] + " is more than " + p.Maximum
		}
	}
	for name, p := range m.parameters {
		if p.Required && p.Location == "query" && !query.Has(name) {
			return m.id + ": " + name + " is missing"
		}
	}
	// Limits that the documents state in words only.
	words := map[string]int{"directory.groups.list": 200, "directory.members.list": 200, "directory.chromeosdevices.list": 300}
	if most, ok := words[m.id]; ok {
		if n, err := strconv.Atoi(query.Get("maxResults")); err == nil && n > most {
			return fmt.Sprintf("%s: maxResults=%d is more than %d", m.id, n, most)
		}
	}
	if strings.HasPrefix(m.id, "directory.") && query.Has("fields") && strings.HasSuffix(m.id, ".list") && !contains(query.Get("fields"), "nextPageToken") &&
		query.Get("maxResults") != "1" {
		return m.id + ": a mask without nextPageToken"
	}
	return ""
}
