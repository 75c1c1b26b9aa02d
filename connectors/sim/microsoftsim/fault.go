package microsoftsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/connectors/sim/kit"
)

// FaultKind is how an answer goes wrong.
type FaultKind uint8

// The kinds.
const (
	// Answer sends the fault's status, header and body in place of the answer.
	Answer FaultKind = iota
	// Empty sends 200 without a body.
	Empty
	// HTML sends 200 with a portal's page.
	HTML
	// Cut sends half of the answer and closes the connection.
	Cut
	// Reset closes the connection without an answer.
	Reset
	// Hang sends nothing until the client goes away, Release or Close.
	Hang
	// Loop sends the answer with a link to the page itself.
	Loop
	// Endless sends an empty page with a link, for ever a new one.
	Endless
	// Foreign sends the answer with a link to another host.
	Foreign
	// NullElement sends the answer with a null among its entries.
	NullElement
	// NoValue sends the answer without its list.
	NoValue
	// Repeat sends every entry of the answer twice.
	Repeat
	// Gone answers 410 with a Location, as a service does that has lost its delta state.
	Gone
	// NoLink sends the answer without any link to follow.
	NoLink
	// Short sends the answer without its last entry, and without a link: a list that looks whole. Of an answer with none
	// it takes nothing.
	Short
	// Lacks sends the answer without its last entry, and with its link: one entry of a chain that closes is missing.
	Lacks
	// ErrorBeside sends the answer without its last entry and without a link, and says beside it that there was an error.
	ErrorBeside
	// Omit leaves the answer out of its batch. A request that is in none is answered as usual.
	Omit
	// Double sends the answer twice in its batch.
	Double
)

// Fault is one misbehaviour. Empty conditions match everything.
type Fault struct {
	Kind FaultKind
	// Method and Path pick the requests: Path is a part of the address's path, such as "/users/delta" or "/token".
	Method, Path string
	// Query is a part of the decoded query, such as "$skiptoken".
	Query string
	// Tenant is the id of the tenant that the request is about, App the client id of its token.
	Tenant, App string
	// Skip lets so many matching requests pass first.
	Skip int
	// Times is how many requests the fault strikes; zero is all until Behave.
	Times int

	Status int
	Header map[string]string
	Body   string

	release chan struct{}
	struck  int
}

// Throttle is an answer 429 of Graph. retryAfter is the header's text; empty leaves it out.
func Throttle(path, retryAfter string, times int) Fault {
	f := Fault{Path: path, Times: times, Status: http.StatusTooManyRequests, Header: map[string]string{
		"x-ms-throttle-information": "ResourceUnitLimitExceeded",
	}, Body: `{"error":{"code":"TooManyRequests","innerError":{"code":"429","message":"Please retry after","status":"429"},"message":"Please retry again later."}}`}
	if retryAfter != "" {
		f.Header["Retry-After"] = retryAfter
	}
	return f
}

// PartnerThrottle is an answer 429 of Partner Center, which has a document of its own for it.
func PartnerThrottle(path string, seconds, times int) Fault {
	return Fault{
		Path: path, Times: times, Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": strconv.Itoa(seconds)},
		Body: fmt.Sprintf(`{"statusCode":429,"message":"Rate limit is exceeded. Try again in %d seconds."}`, seconds),
	}
}

// BadGateway is an answer 502 with an HTML body.
func BadGateway(path string, times int) Fault {
	return Fault{
		Path: path, Times: times, Status: http.StatusBadGateway, Header: map[string]string{"Content-Type": "text/html"},
		Body: "<html><head><title>502 Bad Gateway</title></head></html>",
	}
}

// Challenge is an answer 401 that asks for a token with more claims.
func Challenge(path string, times int) Fault {
	return Fault{
		Path: path, Times: times, Status: http.StatusUnauthorized, Header: map[string]string{"WWW-Authenticate": challenge()},
		Body: `{"error":{"code":"InvalidAuthenticationToken","message":"Continuous access evaluation resulted in challenge."}}`,
	}
}

// ErrorAnswer is an answer with Graph's error document.
func ErrorAnswer(path string, times, status int, code, message string) Fault {
	return Fault{Path: path, Times: times, Status: status, Body: `{"error":{"code":` + text(code) + `,"message":` + text(message) + `}}`}
}

// Misbehave arms a fault and returns the function that disarms it. Of several that fit a request, the one armed
// first strikes.
func (s *Server) Misbehave(f Fault) (disarm func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	armed := &f
	armed.release = make(chan struct{})
	s.faults = append(s.faults, armed)
	return func() { s.disarm(func(g *Fault) bool { return g == armed }) }
}

// Behave disarms every fault and lets go of the requests that hang.
func (s *Server) Behave() { s.disarm(func(*Fault) bool { return true }) }

func (s *Server) disarm(which func(*Fault) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool {
		if which(f) {
			close(f.release)
			return true
		}
		return false
	})
}

// takeFault returns the fault that strikes a request, if any.
func (s *Server) takeFault(x *exchange) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.fits(x) && kit.Strikes(&f.struck, f.Skip, f.Times) {
			return f
		}
	}
	return nil
}

func (f *Fault) fits(x *exchange) bool {
	query := x.r.URL.Query()
	decoded := ""
	for name, values := range query {
		decoded += "&" + name + "=" + strings.Join(values, ",")
	}
	app := ""
	if x.claims != nil {
		app = x.claims.App
	}
	return (f.Method == "" || f.Method == x.r.Method) && strings.Contains(x.r.URL.Path, f.Path) && strings.Contains(decoded, f.Query) &&
		(f.Tenant == "" || strings.EqualFold(f.Tenant, x.tenantName())) && (f.App == "" || f.App == app)
}

func (f *Fault) fill(x *exchange) {
	for name, value := range f.Header {
		x.out.Set(name, value)
	}
	x.answer(f.Status, []byte(f.Body))
	if x.inner && !strings.HasPrefix(f.Body, "{") {
		x.body = []byte(text(f.Body))
	}
}

// strike lets a fault act on a request. It returns false when the request has been dealt with.
func (s *Server) strike(x *exchange) bool {
	f := s.takeFault(x)
	if f == nil {
		return true
	}
	switch f.Kind {
	case Answer:
		f.fill(x)
	case Empty:
		x.out.Set("Content-Type", "application/json")
		x.answer(http.StatusOK, nil)
	case HTML:
		x.out.Set("Content-Type", "text/html")
		x.answer(http.StatusOK, []byte("<html><body>Please sign in to the guest network.</body></html>"))
	case Reset:
		s.meter.count(x)
		panic(http.ErrAbortHandler)
	case Hang:
		s.meter.count(x)
		x.hang(f.release)
		return false
	case Gone:
		x.out.Set("Location", s.URL()+x.r.URL.Path+"?$deltatoken=")
		x.refuse(http.StatusGone, "resyncRequired", "Resync required.")
	default:
		x.fault = f
		return true
	}
	x.send()
	return false
}

// hang waits until the client goes away, the server closes or somebody lets go. Then the connection is cut.
func (x *exchange) hang(release <-chan struct{}) {
	// The body must have been read for the client's going to be noticed.
	_, _ = http.MaxBytesReader(x.w, x.r.Body, maxBody).Read(make([]byte, maxBody))
	select {
	case <-x.r.Context().Done():
	case <-x.s.closing:
	case <-release:
	}
	panic(http.ErrAbortHandler)
}

// BlackHole makes every request about a tenant hang: its sign-ins, its Graph, its place in Partner Center. The
// returned function ends that.
func (s *Server) BlackHole(tenant string) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tenant = strings.ToLower(tenant)
	c := make(chan struct{})
	s.holes[tenant] = c
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.holes[tenant] == c {
			delete(s.holes, tenant)
			close(c)
		}
	}
}

func (s *Server) passHole(x *exchange) bool {
	if x.tenant == nil {
		return true
	}
	s.mu.Lock()
	c := s.holes[x.tenant.id]
	s.mu.Unlock()
	if c != nil {
		s.meter.count(x)
		x.hang(c)
	}
	return c == nil
}

// bend changes the answer as the fault says. It returns false when it has been sent.
func (x *exchange) bend() bool {
	self := x.s.URL() + x.r.URL.RequestURI()
	switch x.fault.Kind {
	case Cut:
		x.s.meter.count(x)
		for name, values := range x.out {
			x.w.Header()[name] = values
		}
		x.w.Header().Set("Content-Length", strconv.Itoa(len(x.body)))
		x.w.WriteHeader(x.status)
		_, _ = x.w.Write(x.body[:len(x.body)/2])
		_ = http.NewResponseController(x.w).Flush()
		panic(http.ErrAbortHandler)
	case Loop:
		x.endWith(self)
	case Foreign:
		x.endWith("https://evil.test" + x.r.URL.RequestURI())
	case NoLink:
		x.endWith("")
	case Endless:
		x.status = http.StatusOK // whatever the made-up token deserves
		x.body = fmt.Appendf(nil, `{"@odata.context":"x","value":[],"@odata.nextLink":%s}`, text(x.s.URL()+x.r.URL.Path+"?$skiptoken=endless"+newGUID()))
	case Short, ErrorBeside:
		x.body = withoutLast(x.body)
		x.endWith("")
		if x.fault.Kind == ErrorBeside {
			x.body = append([]byte(`{"error":{"code":"generalException","message":"An error has occurred."},`), x.body[1:]...)
		}
	case Lacks:
		x.body = withoutLast(x.body)
	case NullElement:
		x.body = bytes.Replace(x.body, []byte(`"value":[`), []byte(`"value":[null,`), 1)
		x.body = bytes.Replace(x.body, []byte(`[null,]`), []byte(`[null]`), 1)
	case NoValue:
		x.body = bytes.Replace(x.body, []byte(`"value":[`), []byte(`"other":[`), 1)
	case Repeat:
		x.body = twice(x.body)
	default:
	}
	return true
}

// endWith replaces the link at the end of the answer, if there is one, by another; an empty one is left out.
func (x *exchange) endWith(link string) {
	for _, name := range []string{`,"@odata.nextLink":`, `,"@odata.deltaLink":`} {
		if i := bytes.LastIndex(x.body, []byte(name)); i > 0 {
			x.body = append(x.body[:i:i], '}')
		}
	}
	if link != "" {
		x.body = append(x.body[:len(x.body)-1:len(x.body)-1], `,"@odata.nextLink":`+text(link)+`}`...)
	}
}

// withoutLast takes the last entry off a list of Graph's or of Partner Center's.
func withoutLast(body []byte) []byte {
	name := []byte(`"value":[`)
	if !bytes.Contains(body, name) {
		name = []byte(`"items":[`)
	}
	begin := bytes.Index(body, name) + len(name) - 1
	var entries []json.RawMessage
	d := json.NewDecoder(bytes.NewReader(body[max(begin, 0):]))
	if begin < len(name) || d.Decode(&entries) != nil || len(entries) == 0 {
		return body
	}
	end := begin + int(d.InputOffset()) - 1
	var rest [][]byte
	for _, e := range entries[:len(entries)-1] {
		rest = append(rest, e)
	}
	return slices.Concat(body[:begin+1], bytes.Join(rest, []byte(",")), body[end:])
}

// twice doubles the entries of a list.
func twice(body []byte) []byte {
	begin := bytes.Index(body, []byte(`"value":[`))
	if begin < 0 {
		return body
	}
	begin += len(`"value":[`)
	end := bytes.LastIndexByte(body, ']')
	if end <= begin {
		return body
	}
	items := body[begin:end]
	return slices.Concat(body[:end], []byte(","), items, body[end:])
}
