package oktasim

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dirsyncd/connectors/sim/kit"
)

// Kind is a way to misbehave.
type Kind int

// The ways to misbehave.
const (
	Answer      Kind = iota // with Status, Header and Body
	Reset                   // close the connection without a word
	Cut                     // close it in the middle of the answer
	Hang                    // say nothing until Mend or Close
	Empty                   // 200 and no body
	Portal                  // 200 and a page for people
	JoinedLinks             // all Link headers in one line, as some proxies do
	BadLink                 // a Link header that is no URL
	NoLinks                 // no Link header, as behind a proxy that drops it
	SelfNext                // the next link leads to the page itself
	ForeignNext             // the next link leads to another resource
	Null                    // null in place of the document
	NullEntry               // null as the first entry of the list
	Trailing                // text after the document
	Shuffle                 // entries in another order, the first one twice
	NoRates                 // no X-Rate-Limit headers
	Endless                 // a link to the page itself, under ever another address
	Short                   // the list without its last entry and without a link to more: it looks whole
)

// alters reports whether the fault changes an answer rather than taking its place.
func (k Kind) alters() bool { return k == Cut || k >= JoinedLinks }

// Fault is one piece of misbehaviour.
type Fault struct {
	Kind Kind
	// Path is what the request's path must begin with; empty fits all. Exact: it must be the path.
	Path  string
	Exact bool
	// Match narrows further; nil fits all.
	Match func(*http.Request) bool
	// Skip lets so many requests that fit pass first. Times is how many it strikes; 0: until Mend.
	Skip, Times int

	Status int
	Header map[string]string
	Body   string
	struck int
	round  int64
}

// Break adds a fault. The first one that fits a request strikes.
func (s *Server) Break(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Mend takes all faults away and lets hanging requests go.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	close(s.hanged)
	s.hanged = make(chan struct{})
}

// strike returns the fault that a request meets, if any.
func (s *Server) strike(r *http.Request) *Fault {
	for _, f := range s.faults {
		fits := strings.HasPrefix(r.URL.Path, f.Path) && (!f.Exact || r.URL.Path == f.Path) && (f.Match == nil || f.Match(r))
		if fits && kit.Strikes(&f.struck, f.Skip, f.Times) {
			return f
		}
	}
	return nil
}

// act answers in the fault's way. a is the right answer when the fault alters it.
func (f *Fault) act(w http.ResponseWriter, r *http.Request, a *reply, hanged <-chan struct{}, date time.Time) {
	switch f.Kind {
	case Reset:
		panic(http.ErrAbortHandler)
	case Hang:
		select {
		case <-hanged:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case Cut:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)+1))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body[:len(a.body)/2])
		panic(http.ErrAbortHandler)
	case Answer, Empty, Portal:
		a = newReply()
		a.header.Set("Date", date.Format(http.TimeFormat))
		f.replace(a)
	default:
		f.alter(a)
	}
	a.write(w)
}

func (f *Fault) replace(a *reply) {
	switch f.Kind {
	case Portal:
		a.header.Set("Content-Type", "text/html")
		a.body = []byte("<html>Please sign in</html>")
	case Answer:
		a.status, a.body = f.Status, []byte(f.Body)
	default: // Empty
	}
	for name, value := range f.Header {
		if value == "" {
			a.header.Del(name)
		} else {
			a.header.Set(name, value)
		}
	}
}

func (f *Fault) alter(a *reply) {
	links := a.header["Link"]
	isNext := func(l string) bool { return strings.Contains(l, `rel="next"`) }
	switch f.Kind {
	case JoinedLinks:
		a.header["Link"] = []string{strings.Join(links, ", ")}
	case BadLink:
		a.header["Link"] = []string{`<https://%zz/api/v1/users?after=x>; rel="next"`}
	case NoLinks:
		a.header.Del("Link")
	case SelfNext:
		if i := slices.IndexFunc(links, isNext); i >= 0 {
			links[i] = strings.Replace(links[0], `rel="self"`, `rel="next"`, 1)
		}
	case ForeignNext:
		if i := slices.IndexFunc(links, isNext); i >= 0 {
			links[i] = "<https://" + publicHost + `/api/v1/meta/types/user?after=x>; rel="next"`
		}
	case Endless:
		round := atomic.AddInt64(&f.round, 1) // requests come side by side
		links = slices.DeleteFunc(links, isNext)
		if i := slices.IndexFunc(links, func(l string) bool { return strings.Contains(l, `rel="self"`) }); i >= 0 {
			address, _, _ := strings.Cut(links[i], ">")
			address, _, _ = strings.Cut(address, "&round=")
			links = append(links, address+"&round="+strconv.FormatInt(round, 10)+`>; rel="next"`)
		}
		a.header["Link"] = links
	case Short:
		a.header["Link"] = slices.DeleteFunc(links, isNext)
		a.withoutLast()
	case Null:
		a.body = []byte("null")
	case NullEntry:
		if rest, ok := bytes.CutPrefix(a.body, []byte("[")); ok && len(rest) > 1 {
			a.body = append([]byte("[null,"), rest...)
		}
	case Trailing:
		a.body = append(a.body, "<!-- proxy -->"...)
	case Shuffle:
		a.shuffle()
	case NoRates:
		for _, name := range []string{"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"} {
			a.header.Del(name)
		}
	default:
	}
}
