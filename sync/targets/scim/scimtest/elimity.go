package scimtest

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elimity-com/scim"
	"github.com/elimity-com/scim/errors"
	"github.com/elimity-com/scim/optional"
	"github.com/elimity-com/scim/schema"
	filter "github.com/scim2/filter-parser/v2"
)

// Elimity starts a service made with elimity-com/scim: the library reads, checks and answers, what is behind it is kept here.
func Elimity(t testing.TB) *Server {
	t.Helper()
	server, err := scim.NewServer(&scim.ServerArgs{
		ServiceProviderConfig: &scim.ServiceProviderConfig{SupportFiltering: true, SupportPatch: true, MaxResults: 100},
		ResourceTypes: []scim.ResourceType{
			{
				ID: optional.NewString("User"), Name: "User", Endpoint: "/Users", Schema: schema.CoreUserSchema(),
				SchemaExtensions: []scim.SchemaExtension{{Schema: schema.ExtensionEnterpriseUser()}},
				Handler:          &shelf{unique: "userName", things: map[string]*thing{}},
			},
			{
				ID: optional.NewString("Group"), Name: "Group", Endpoint: "/Groups", Schema: schema.CoreGroupSchema(),
				Handler: &shelf{unique: "displayName", things: map[string]*thing{}},
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	const token = "of-the-test"
	listening := httptest.NewServer(http.StripPrefix("/scim", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		server.ServeHTTP(w, r)
	})))
	t.Cleanup(listening.Close)
	return &Server{URL: listening.URL + "/scim", Token: token}
}

// shelf keeps the resources of one kind.
type shelf struct {
	unique string

	mu     sync.Mutex
	next   int
	things map[string]*thing
}

type thing struct {
	id               string
	external         optional.String
	attributes       scim.ResourceAttributes
	created, changed time.Time
}

// resource is what the library answers with, when the shelf is no longer locked.
func (s *thing) resource() scim.Resource {
	created, changed := s.created, s.changed
	return scim.Resource{ID: s.id, ExternalID: s.external, Attributes: s.attributes, Meta: scim.Meta{Created: &created, LastModified: &changed}}
}

// Create implements scim.ResourceHandler.
func (s *shelf) Create(_ *http.Request, attributes scim.ResourceAttributes) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.taken("", attributes); err != nil {
		return scim.Resource{}, err
	}
	s.next++
	now := time.Now()
	made := &thing{id: strconv.Itoa(s.next), created: now, changed: now}
	made.take(attributes)
	s.things[made.id] = made
	return made.resource(), nil
}

// take keeps attributes; the library hands externalId over among them.
func (s *thing) take(attributes scim.ResourceAttributes) {
	if id, ok := attributes["externalId"].(string); ok {
		s.external = optional.NewString(id)
		delete(attributes, "externalId")
	}
	s.attributes = attributes
}

func (s *shelf) taken(id string, attributes scim.ResourceAttributes) error {
	for _, other := range s.things {
		if other.id != id && strings.EqualFold(fmt.Sprint(other.attributes[s.unique]), fmt.Sprint(attributes[s.unique])) {
			return errors.ScimErrorUniqueness
		}
	}
	return nil
}

// Get implements scim.ResourceHandler.
func (s *shelf) Get(_ *http.Request, id string) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.things[id]
	if !ok {
		return scim.Resource{}, errors.ScimErrorResourceNotFound(id)
	}
	return found.resource(), nil
}

// GetAll implements scim.ResourceHandler.
func (s *shelf) GetAll(_ *http.Request, params scim.ListRequestParams) (scim.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []scim.Resource
	for _, one := range s.things {
		if params.FilterValidator != nil {
			all := map[string]any{"id": one.id, "externalId": one.external.Value()}
			for k, v := range one.attributes {
				all[k] = v
			}
			if params.FilterValidator.PassesFilter(all) != nil {
				continue
			}
		}
		found = append(found, one.resource())
	}
	slices.SortFunc(found, func(a, b scim.Resource) int {
		return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	page := scim.Page{TotalResults: len(found)}
	from := min(max(params.StartIndex-1, 0), len(found))
	page.Resources = found[from:min(from+params.Count, len(found))]
	return page, nil
}

// Replace implements scim.ResourceHandler.
func (s *shelf) Replace(_ *http.Request, id string, attributes scim.ResourceAttributes) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.things[id]
	if !ok {
		return scim.Resource{}, errors.ScimErrorResourceNotFound(id)
	}
	if err := s.taken(id, attributes); err != nil {
		return scim.Resource{}, err
	}
	found.take(attributes)
	found.changed = time.Now()
	return found.resource(), nil
}

// Delete implements scim.ResourceHandler.
func (s *shelf) Delete(_ *http.Request, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.things[id]; !ok {
		return errors.ScimErrorResourceNotFound(id)
	}
	delete(s.things, id)
	return nil
}

// Patch implements scim.ResourceHandler. The library has parsed and checked the operations.
func (s *shelf) Patch(_ *http.Request, id string, operations []scim.PatchOperation) (scim.Resource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.things[id]
	if !ok {
		return scim.Resource{}, errors.ScimErrorResourceNotFound(id)
	}
	changed := scim.ResourceAttributes{}
	for k, v := range found.attributes {
		changed[k] = v
	}
	for _, op := range operations {
		if op.Path == nil {
			return scim.Resource{}, errors.ScimErrorInvalidPath
		}
		apply(changed, op.Op, op.Path, op.Value)
	}
	if err := s.taken(id, changed); err != nil {
		return scim.Resource{}, err
	}
	found.take(changed)
	found.changed = time.Now()
	return found.resource(), nil
}

// apply changes one attribute (RFC 7644 section 3.5.2).
func apply(all scim.ResourceAttributes, op string, path *filter.Path, value any) {
	part := map[string]any(all)
	if uri := path.AttributePath.URI(); uri != "" && uri != schema.UserSchema && uri != schema.GroupSchema {
		old, _ := all[uri].(map[string]any)
		part = map[string]any{}
		for k, v := range old {
			part[k] = v
		}
		all[uri] = part
	}
	name, sub := path.AttributePath.AttributeName, path.AttributePath.SubAttributeName()
	list, _ := part[name].([]any)
	switch {
	case path.ValueExpression != nil && op == scim.PatchOperationRemove:
		wanted, _ := path.ValueExpression.(*filter.AttributeExpression)
		part[name] = slices.DeleteFunc(slices.Clone(list), func(v any) bool {
			m, _ := v.(map[string]any)
			return wanted != nil && m[wanted.AttributePath.AttributeName] == wanted.CompareValue
		})
	case sub != "":
		old, _ := part[name].(map[string]any)
		m := map[string]any{}
		for k, v := range old {
			m[k] = v
		}
		if m[sub] = value; op == scim.PatchOperationRemove {
			delete(m, sub)
		}
		part[name] = m
	case op == scim.PatchOperationRemove:
		delete(part, name)
	case op == scim.PatchOperationAdd:
		if more, many := value.([]any); many {
			part[name] = append(slices.Clone(list), more...)
			return
		}
		part[name] = value
	default:
		part[name] = value
	}
}
