package delineasim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"dirsyncd/connectors/sim/kit"
)

// Kind is a way to misbehave.
type Kind int

// The ways to misbehave.
const (
	Answer  Kind = iota // with Status and Body
	Reset               // close the connection without a word
	Cut                 // close it in the middle of the answer
	Hang                // say nothing until Mend or Close
	Empty               // 200 and no body
	Portal              // 200 and a page for people
	Refuse              // 200 and success:false, with Body as the message
	Soft                // the same, and called a passing error
	Silent              // 200 and no success at all
	Null                // a success whose Result is null
	NoCount             // a list that does not say how many rows there are
	NullRow             // a list with a row that is null
	Short               // lists without their last row, and counted so: they look whole
	Missing             // lists without their last row, and counted with it
	Drift               // a row comes in after the first page was read, and shifts the others
	Shrink              // a row of the first page goes after that was read, and one is never shown
	Repeat              // every page is the first one
)

// Fault is one piece of misbehaviour.
type Fault struct {
	Kind Kind
	// Path is what the request's path must end with; empty fits all but the token endpoint.
	Path string
	// Skip lets so many requests that fit pass first. Times is how many it strikes; 0: until Mend.
	Skip, Times int

	Status int
	Body   string
	struck int
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
		fits := strings.HasSuffix(r.URL.Path, f.Path) && (f.Path != "" || !strings.Contains(r.URL.Path, "/token/"))
		if fits && kit.Strikes(&f.struck, f.Skip, f.Times) {
			return f
		}
	}
	return nil
}

// list is what the fault makes of a list and of its count.
func (f *Fault) list(rows []map[string]any, list args) ([]map[string]any, int) {
	full := len(rows)
	switch f.Kind {
	case Short:
		rows = rows[:max(0, full-1)]
		full = len(rows)
	case Missing:
		rows = rows[:max(0, full-1)]
	case Drift:
		if list.PageNumber > 1 {
			rows = slices.Insert(slices.Clone(rows), 0, map[string]any{"ID": "00000000", "Guid": "00000000"})
			full++
		}
	case Shrink:
		if list.PageNumber > 1 {
			rows = rows[1:]
			full--
		}
	case Repeat:
		first := rows[:min(list.PageSize, full)]
		for len(rows) < list.PageNumber*list.PageSize {
			rows = append(rows, first...)
		}
		copy(rows[(list.PageNumber-1)*list.PageSize:], first)
	}
	return rows, full
}

// act answers in the fault's way; a is the right answer.
func (f *Fault) act(r *http.Request, a *reply, hanged <-chan struct{}) {
	switch f.Kind {
	case Reset:
		panic(http.ErrAbortHandler)
	case Hang:
		select {
		case <-hanged:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler)
	case Answer:
		a.status, a.body = f.Status, []byte(f.Body)
	case Empty:
		a.body = nil
	case Portal:
		a.kind, a.body = "text/html", []byte("<html>Please sign in</html>")
	case Refuse, Soft:
		*a = *envelope(false, nil, f.Body, "_I18N_Refused")
		if f.Kind == Soft {
			a.body = []byte(strings.Replace(string(a.body), `"IsSoftError":false`, `"IsSoftError":true`, 1))
		}
	case Silent:
		a.body = []byte(`{"Result":{"FullCount":0,"Results":[]}}`)
	case Null:
		a.body = []byte(`{"success":true,"Result":null}`)
	case NoCount:
		a.body = []byte(`{"success":true,"Result":{"Count":0,"Results":[]}}`)
	case NullRow:
		a.body = fmt.Appendf(nil, `{"success":true,"Result":{"FullCount":1,"Results":[null]}}`)
	}
}
