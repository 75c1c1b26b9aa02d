package microsoftsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxBatch is how many requests a batch holds at most.
const maxBatch = 20

// batch answers for $batch: every request in it is answered, refused and metered like one of its own.
func (x *exchange) batch() {
	raw, ok := x.graphBody()
	if !ok {
		return
	}
	var in struct {
		Requests []struct {
			ID      string            `json:"id"`
			Method  string            `json:"method"`
			URL     string            `json:"url"`
			Headers map[string]string `json:"headers"`
		} `json:"requests"`
	}
	if json.Unmarshal(raw, &in) != nil || len(in.Requests) == 0 {
		x.refuse(http.StatusBadRequest, "BadRequest", "Invalid batch payload format.")
		return
	}
	if len(in.Requests) > maxBatch {
		x.refuse(http.StatusBadRequest, "MaximumValueExceeded", "Number of batch request steps exceeds the maximum value of 20.")
		return
	}
	seen := map[string]bool{}
	var responses []string
	for _, one := range in.Requests {
		id := strings.ToLower(one.ID)
		if one.ID == "" || seen[id] {
			x.refuse(http.StatusBadRequest, "BadRequest", "Request Id values must be unique.")
			return
		}
		seen[id] = true
		responses = append(responses, x.batched(one.ID, one.Method, one.URL, one.Headers)...)
	}
	if _, quirks := x.s.settings(); quirks.Shuffle {
		slices.Reverse(responses)
	}
	x.out.Del("Content-Type")
	x.answer(http.StatusOK, []byte(`{"responses":[`+strings.Join(responses, ",")+`]}`))
}

// batched answers one request of a batch, once unless a fault says otherwise.
func (x *exchange) batched(id, method, address string, headers map[string]string) []string {
	r := x.r.Clone(x.r.Context())
	r.Method, r.Header = method, http.Header{"Authorization": x.r.Header["Authorization"]}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	u, err := url.Parse(address)
	if err != nil {
		u = &url.URL{}
	}
	version, _, _ := strings.Cut(strings.Trim(x.r.URL.Path, "/"), "/")
	r.URL = &url.URL{Path: "/" + version + "/" + strings.TrimPrefix(u.Path, "/"), RawQuery: u.RawQuery}
	inner := &exchange{
		s: x.s, w: x.w, r: r, area: areaGraph, path: strings.Trim(u.Path, "/"), tenant: x.tenant, claims: x.claims, inner: true, out: http.Header{},
	}
	f := x.s.takeFault(inner)
	if f != nil && f.Kind == Answer {
		f.fill(inner)
	} else {
		x.s.graph(inner)
	}
	x.s.meter.count(inner)
	flat := map[string]string{}
	for name := range inner.out {
		flat[name] = inner.out.Get(name)
	}
	header, _ := json.Marshal(flat) // plain data
	body := string(inner.body)
	if body == "" {
		body = "null"
	}
	answer := `{"id":` + text(id) + `,"status":` + itoa(inner.status) + `,"headers":` + string(header) + `,"body":` + body + `}`
	switch {
	case f != nil && f.Kind == Omit:
		return nil
	case f != nil && f.Kind == Double:
		return []string{answer, answer}
	default:
		return []string{answer}
	}
}
