package halosim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// post makes and changes things. The body is an array, always; the answer to one element is one object.
func (s *Sim) post(w http.ResponseWriter, r *http.Request, resource string, body []byte) {
	f := &s.faults
	var elements []map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&elements); err != nil {
		s.refuse(w, "Cannot deserialize the current JSON object because the type requires a JSON array")
		return
	}
	if len(elements) != 1 {
		s.stranger("an array of %d", len(elements))
	}
	if s.happens(f.ErrorInside) {
		answer(w, http.StatusOK, map[string]any{"resultCode": 1, "errorMessage": "The update could not be saved."})
		return
	}
	var out []any
	for _, element := range elements {
		t, refused := s.write(resource, element)
		if refused != "" {
			s.refuse(w, refused)
			return
		}
		if s.happens(f.EffectWithoutAnswer) {
			s.mu.Unlock()
			defer s.mu.Lock()
			hangUp(w)
			return
		}
		out = append(out, s.shown(resource, t, false, r.URL.Query()))
	}
	if len(out) == 1 && !f.ListAnswer {
		answer(w, http.StatusCreated, out[0])
		return
	}
	answer(w, http.StatusCreated, out)
}

// hangUp cuts the connection.
func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// refuse says no, in one of the shapes that were seen.
func (s *Sim) refuse(w http.ResponseWriter, text string) {
	if s.faults.BareText {
		say(w, http.StatusBadRequest, "text/plain", text)
		return
	}
	answer(w, http.StatusBadRequest, map[string]any{"ClassName": "System.ArgumentException", "Message": text})
}

// write does one element. What it refuses, it says.
func (s *Sim) write(resource string, element map[string]any) (Thing, string) {
	f := &s.faults
	types := s.types(resource)
	for name, v := range element {
		if slices.Contains(s.api.Never, name) {
			s.stranger("the switch %s of %s", name, resource)
		}
		typ := types[name]
		if typ == "" {
			s.stranger("property %s of %s", name, resource)
			continue
		}
		if (name == "id" || strings.HasSuffix(name, "_id")) && typ != "text" {
			if text, isNumber := v.(json.Number); !isNumber || strings.Contains(text.String(), ".") {
				return nil, fmt.Sprintf("Input string '%v' is not a valid integer. Path '[0].%s'", v, name)
			}
		}
		s.elements(name, v)
	}
	fresh := element["id"] == nil
	s.goesOff(resource, element, fresh)
	var t Thing
	tb := s.tables[resource]
	if fresh {
		if refused := s.unique(resource, element, nil); refused != "" {
			if !f.Takeover || resource != "Users" {
				return nil, refused
			}
			t = s.owner(resource, element)
		}
		if resource == "Users" && s.happens(f.AnotherFirst) {
			other := s.put(resource, Thing{"name": fmt.Sprint(element["name"]), "site_id": number(element["site_id"])})
			other["emailaddress"] = element["emailaddress"]
		}
		if missing := s.needs(resource, element); missing != "" {
			return nil, missing
		}
		if t == nil && s.happens(f.AnswerWithoutEffect) {
			ghost := Thing{"id": 900000 + s.next}
			return ghost, ""
		}
		if t == nil {
			t = s.put(resource, Thing{})
		}
	} else {
		t = tb.by[fmt.Sprint(element["id"])]
		if t == nil || s.hidden(resource, t) {
			// What a real desk does of an unknown id is not described: nobody must find out.
			s.stranger("a change of %s %v, which is not there", resource, element["id"])
			return nil, "Not found"
		}
		if refused := s.unique(resource, element, t); refused != "" {
			return nil, refused
		}
		if f.SecondEnd && element["inactive"] == true && t["inactive"] == true {
			return nil, "Object reference not set to an instance of an object"
		}
		if s.happens(f.AnswerWithoutEffect) {
			ghost := maps.Clone(t)
			s.set(resource, ghost, element, types)
			return ghost, ""
		}
	}
	s.set(resource, t, element, types)
	if fresh && resource == "Client" {
		name, _ := element["newclient_sitename"].(string)
		s.mainSite(t, name)
	}
	return t, ""
}

// elements notes names in lists that are not described.
func (s *Sim) elements(name string, v any) {
	list, ok := v.([]any)
	if !ok {
		return
	}
	about := s.api.Elements[name]
	for _, e := range list {
		m, _ := e.(map[string]any)
		for key := range m {
			if !slices.Contains(about.Properties, key) {
				s.stranger("property %s of an element of %s", key, name)
			}
		}
	}
}

// goesOff counts what nobody has switched off.
func (s *Sim) goesOff(resource string, element map[string]any, fresh bool) {
	switch resource {
	case "Client", "Site", "Users", "Tickets", "Asset":
		if element["_dont_fire_automations"] != true {
			s.counts.Automations++
		}
	}
	switch {
	case resource == "Users" && element["sendwelcomeemail"] != false,
		resource == "Client" && fresh && element["newclient_sendwelcomeemail"] != false,
		resource == "Site" && fresh && element["newsite_sendwelcomeemail"] != false:
		s.counts.Mails++
	}
	if _, set := element["neversendemails"]; set {
		s.stranger("neversendemails, which stays with a person")
	}
	if resource == "Tickets" && element["dont_do_rules"] != true {
		s.counts.Automations++
	}
}

// needs says what is missing of a new thing.
func (s *Sim) needs(resource string, element map[string]any) string {
	need := map[string][]string{
		"Client": {"name"}, "Site": {"name", "client_id"}, "Users": {"name", "site_id"}, "Agent": {"name"}, "Team": {"name"}, "CAB": {"name"},
		"Asset": {"site_id", "assettype_id", "inventory_number"}, "SoftwareLicence": {"name", "client_id"}, "Tickets": {"summary", "tickettype_id", "site_id"},
	}[resource]
	for _, name := range need {
		if element[name] == nil || element[name] == "" {
			return "The " + name + " field is required"
		}
	}
	return ""
}

// owner is who has a value already that must be unique.
func (s *Sim) owner(resource string, element map[string]any) Thing {
	same := func(name string) func(Thing) bool {
		text, _ := element[name].(string)
		return func(t Thing) bool {
			have, _ := t[name].(string)
			return text != "" && strings.EqualFold(have, text)
		}
	}
	var clash func(Thing) bool
	switch resource {
	case "Client":
		clash = same("name")
	case "Site":
		inClient := fmt.Sprint(element["client_id"])
		clash = func(t Thing) bool { return same("name")(t) && fmt.Sprint(t["client_id"]) == inClient }
	case "Users":
		login, mail := same("login"), same("emailaddress")
		clash = func(t Thing) bool { return login(t) || s.faults.Takeover && mail(t) }
	case "Agent":
		clash = func(t Thing) bool { return same("name")(t) || same("ad")(t) }
	case "Team", "CAB":
		clash = same("name")
	default:
		return nil
	}
	if element["name"] == nil && element["login"] == nil && element["ad"] == nil && element["emailaddress"] == nil {
		return nil
	}
	for _, t := range s.tables[resource].list {
		if clash(t) {
			return t
		}
	}
	return nil
}

func (s *Sim) unique(resource string, element map[string]any, except Thing) string {
	if t := s.owner(resource, element); t != nil && (except == nil || t.ID() != except.ID() || t.Text("id") != except.Text("id")) {
		return "This name is already in use by " + t.Text("name")
	}
	return ""
}

// number is a whole number of JSON.
func number(v any) int {
	n, _ := strconv.Atoi(fmt.Sprint(v))
	return n
}

// set stores what an element says: null is ignored, lists are replaced.
func (s *Sim) set(resource string, t Thing, element map[string]any, types map[string]string) {
	f := &s.faults
	for name, v := range element {
		switch typ := types[name]; {
		case name == "id" || v == nil || typ == "" || name[0] == '_':
		case name == "new_external_link":
			s.link(resource, t, v)
		case typ == "text" || typ == "time":
			text, _ := v.(string)
			if f.Trim {
				text = strings.TrimSpace(text)
			}
			if f.Cut > 0 && len(text) > f.Cut && name != "third_party_id_string" && name != "third_party_guid" {
				text = text[:f.Cut]
			}
			if f.Upper && strings.Contains(name, "email") {
				text = strings.ToUpper(text)
			}
			t[name] = text
		case typ == "integer" || typ == "number":
			t[name] = number(v)
		default:
			t[name] = v
		}
	}
	switch resource {
	case "Users":
		s.move(t)
		t["ulastupdate"] = stamp()
	case "Agent":
		t["last_modified"] = stamp()
	case "Tickets":
		if client := s.tables["Site"].by[t.Text("site_id")]; client != nil {
			t["client_id"] = client["client_id"]
		}
	case "Asset":
		if site := s.tables["Site"].by[t.Text("site_id")]; site != nil {
			t["client_id"] = site["client_id"]
		}
	}
}

func (s *Sim) link(resource string, t Thing, v any) {
	link, _ := v.(map[string]any)
	if s.faults.LinkIgnored {
		return
	}
	l := Thing{"halo_id": t.ID(), "table_id": tableOf(resource)}
	for name, value := range link {
		typ := s.types("ExternalLink")[name]
		switch typ {
		case "":
			s.stranger("property %s of an external link", name)
		case "integer":
			l[name] = number(value)
		default:
			l[name] = value
		}
	}
	s.put("ExternalLink", l)
}
