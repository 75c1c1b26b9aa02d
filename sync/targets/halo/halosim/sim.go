package halosim

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The credentials that the desk knows.
const (
	ClientID = "dirsyncd-client"
	Secret   = "the-secret-of-the-client"
	Tenant   = "acme"
	Module   = 77
)

// Faults are what desks were seen to do, or may do by the description. Numbers are probabilities per request, 1 for always.
type Faults struct {
	// Limits and lines.
	Down, Hang, Throttle, TokenEnds float64
	RetryAfter                      string // the header beside 429; empty: none
	Forbid                          string // the resource that is forbidden

	// Reading.
	PagesIgnored bool // every page is the first one
	Overlap      bool // pages overlap by one row
	Cap          int  // lists end there, while the count is that of all
	WrongCount   bool // record_count is one too many
	NoCount      bool
	HideInactive bool // lists and searches leave them out whatever is asked for
	RightsShrink bool // every other thing is hidden everywhere, and the count agrees
	HTML         bool // 200 and a page of HTML
	Nothing      bool // 200 and null
	Numbers      bool // ids are 95.0
	Words        bool // truth is "True" and "False"
	LinksHidden  bool // single things do not show external_links
	LinksBare    bool // ExternalLink answers a bare list

	// Searching.
	SearchIgnored  bool // a search answers everybody
	SearchMinds    bool // and minds the case
	SearchEmpty    bool // and finds nobody
	FiltersIgnored bool // filters by a value (links, tickets, tenants) are not heard

	// Writing.
	EffectWithoutAnswer, AnswerWithoutEffect, ErrorInside float64
	ListAnswer                                            bool // an array of one is answered by an array of one
	LinkIgnored                                           bool // new_external_link is not stored
	Cut                                                   int  // texts are cut, without a word
	Trim, Upper                                           bool
	SecondEnd                                             bool // taking out of use what is out of use is a 500
	Takeover                                              bool // a user with the mail address of another one changes that one
	BareText                                              bool // refusals are text
	AnotherFirst                                          float64
}

// Counts are what happened.
type Counts struct {
	// Requests are all, Writes those that may have an effect, by "GET Users".
	Requests, Writes int
	By               map[string]int
	// Mails and Automations went off: there was no switch against them.
	Mails, Automations int
}

// Thing is one thing, as JSON.
type Thing map[string]any

// ID is its number.
func (t Thing) ID() int { n, _ := t["id"].(int); return n }

// Text is a property as a text.
func (t Thing) Text(name string) string {
	if v := t[name]; v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// Sim is a desk. It may be used by many goroutines.
type Sim struct {
	URL string

	api    *API
	typed  map[string]map[string]string // the types of properties, by resource
	server *httptest.Server

	mu      sync.Mutex
	faults  Faults
	rand    *rand.Rand
	tables  map[string]*table
	links   map[[2]int][]Thing // external links, by their table and thing
	tokens  map[string]bool
	next    int
	counts  Counts
	strange []string
	// Before is told of every request, outside of the desk's lock.
	before func(request string)
}

type table struct {
	list []Thing
	by   map[string]Thing
}

// Me is the number of the agent that the client acts as.
const Me = 3

// Start starts a desk with one customer of its own, "Unknown", its agents and a few roles.
func Start(t testing.TB, seed uint64) *Sim {
	t.Helper()
	api, err := Describe()
	if err != nil {
		t.Fatal(err)
	}
	s := &Sim{api: api, typed: map[string]map[string]string{}, rand: rand.New(rand.NewPCG(seed, 11)), tables: map[string]*table{}, links: map[[2]int][]Thing{}, tokens: map[string]bool{}, next: 20}
	for name, r := range api.Resources {
		s.tables[name], s.typed[name] = &table{by: map[string]Thing{}}, r.Types()
	}
	s.counts.By = map[string]int{}
	s.put("Client", Thing{"id": 1, "name": "Unknown", "isnhserveremaildefault": true})
	s.put("Site", Thing{"id": 2, "name": "Main", "client_id": 1, "isnhserveremaildefault": true})
	s.put("Agent", Thing{"id": 1, "name": "Unassigned"})
	s.put("Agent", Thing{"id": 2, "name": "Ada Admin", "email": "ada@desk.test", "is_admin": true, "role_list": "Administrator"})
	s.put("Agent", Thing{"id": Me, "name": "dirsyncd", "isapiagent": true, "role_list": "API"})
	s.put("Roles", Thing{"id": "0a1b-technician", "name": "Technician"})
	s.put("Roles", Thing{"id": "0a1b-lead", "name": "Lead"})
	s.put("UserRoles", Thing{"id": 5, "name": "Approver"})
	s.put("Team", Thing{"id": 6, "name": "1st Line"})
	s.put("CAB", Thing{"id": 7, "name": "Standard", "members": []any{}})
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.server.URL
	t.Cleanup(s.server.Close)
	return s
}

// Set changes the faults.
func (s *Sim) Set(change func(*Faults)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.faults)
}

// Mend ends all faults.
func (s *Sim) Mend() { s.Set(func(f *Faults) { *f = Faults{} }) }

// Before sets who is told of every request, by "POST Users", before anything happens.
func (s *Sim) Before(f func(request string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// Counts are what happened so far.
func (s *Sim) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.By = maps.Clone(c.By)
	return c
}

// Strange are names that were sent and are not in the description, and switches that a sync must not use.
func (s *Sim) Strange() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.strange)
	return slices.Compact(slices.Clone(s.strange))
}

// Add puts a thing there, as somebody at the desk does, and returns its number.
func (s *Sim) Add(resource string, t Thing) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(resource, t).ID()
}

// Human changes a thing, as somebody at the desk does; with a nil change it is removed. It reports whether it was there.
func (s *Sim) Human(resource string, id int, change func(Thing)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	tb := s.tables[resource]
	t, there := tb.by[strconv.Itoa(id)]
	switch {
	case !there:
		return false
	case change == nil:
		delete(tb.by, strconv.Itoa(id))
		tb.list = slices.DeleteFunc(tb.list, func(o Thing) bool { return o.ID() == id })
	default:
		change(t)
	}
	return true
}

// Things are copies of what is there, as it came.
func (s *Sim) Things(resource string) []Thing {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Thing
	for _, t := range s.tables[resource].list {
		out = append(out, maps.Clone(t))
	}
	return out
}

// Mark is the mark of a thing by its external link; empty where it has none.
func (s *Sim) Mark(kind string, id int) string {
	for _, l := range s.Things("ExternalLink") {
		if mark, ours := strings.CutPrefix(l.Text("third_party_id"), kind+":"); ours && l["halo_id"] == id {
			return mark
		}
	}
	return ""
}

// put stores a thing under a new number if it has none.
func (s *Sim) put(resource string, t Thing) Thing {
	t = maps.Clone(t)
	types := s.types(resource)
	for name := range t {
		if types[name] == "" {
			panic(resource + " has no " + name + " in api.json")
		}
	}
	if t["id"] == nil {
		s.next++
		t["id"] = s.next
	}
	for name, typ := range types {
		if typ == "flag" && t[name] == nil && name[0] != '_' && name != "is_active" {
			t[name] = false
		}
		if typ == "list" && t[name] == nil && name != "external_links" && name != "add_roles" {
			t[name] = []any{}
		}
	}
	if resource == "SoftwareLicence" && t["is_active"] == nil {
		t["is_active"] = true
	}
	if resource == "Users" && t["site_id"] != nil {
		s.move(t)
	}
	if resource == "ExternalLink" {
		table, _ := t["table_id"].(int)
		of, _ := t["halo_id"].(int)
		s.links[[2]int{table, of}] = append(s.links[[2]int{table, of}], t)
	}
	tb := s.tables[resource]
	tb.list = append(tb.list, t)
	tb.by[fmt.Sprint(t["id"])] = t
	return t
}

// move puts a user into the customer of its site.
func (s *Sim) move(t Thing) {
	if site := s.tables["Site"].by[fmt.Sprint(t["site_id"])]; site != nil {
		t["client_id"], t["site_name"] = site["client_id"], site["name"]
		if client := s.tables["Client"].by[fmt.Sprint(site["client_id"])]; client != nil {
			t["client_name"] = client["name"]
		}
	}
}

func (s *Sim) types(resource string) map[string]string { return s.typed[resource] }

func (s *Sim) happens(p float64) bool { return p > 0 && (p >= 1 || s.rand.Float64() < p) }

func (s *Sim) stranger(format string, args ...any) {
	s.strange = append(s.strange, fmt.Sprintf(format, args...))
}

// stamp is a time as the desk writes it: without a zone.
func stamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000") }

// Customer makes a customer with its main site, and the user that the desk makes for tickets of nobody in particular.
func (s *Sim) Customer(name string) (client, site int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.put("Client", Thing{"name": name})
	return c.ID(), s.mainSite(c, "Main").ID()
}

func (s *Sim) mainSite(client Thing, name string) Thing {
	site := s.put("Site", Thing{"name": cmp.Or(name, "Main"), "client_id": client.ID(), "client_name": client["name"], "isinvoicesite": true})
	s.put("Users", Thing{"name": "General User", "site_id": site.ID()})
	return site
}
