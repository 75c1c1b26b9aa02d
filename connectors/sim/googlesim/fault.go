package googlesim

import (
	"net/http"
	"strings"
)

// FaultKind is how the server misbehaves.
type FaultKind uint8

// The kinds.
const (
	Answer FaultKind = iota // send Status, Header and Body in place of the answer
	Change                  // let Rewrite change the answer's document before it is sent
	Cut                     // announce more than is sent, and close the connection
	Reset                   // close the connection without an answer
	Hang                    // send nothing until the client gives up or the server closes
	Watch                   // call Rewrite with nil when the request comes, then answer as usual
)

// Fault is one misbehaviour.
type Fault struct {
	// Match is a part of "METHOD path?query"; empty: every request.
	Match string
	Kind  FaultKind
	// Skip is how many matching requests are answered well first; Times how many it strikes; 0 is all until Behave.
	Skip, Times int
	Status      int
	Header      map[string]string // Content-Type is application/json unless it is given
	Body        string
	Rewrite     func(doc map[string]any)
}

// Misbehave arms a fault. Of several that fit a request, the one armed first strikes.
func (s *Server) Misbehave(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Behave disarms every fault.
func (s *Server) Behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func contains(text, part string) bool { return strings.Contains(text, part) }

// takeFault returns the fault that strikes a request, if any, and uses it up.
func (s *Server) takeFault(r *http.Request) *Fault {
	name := r.Method + " " + r.URL.Path + "?" + r.URL.RawQuery
	for i, f := range s.faults {
		if !contains(name, f.Match) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		struck := *f
		return &struck
	}
	return nil
}

// strike misbehaves. It reports false when the request is to be answered.
func (f *Fault) strike(s *Server, w http.ResponseWriter, r *http.Request) bool {
	switch f.Kind {
	case Change:
		return false
	case Watch:
		f.Rewrite(nil)
		f.Rewrite = nil
		return false
	case Hang:
		select {
		case <-r.Context().Done():
		case <-s.closing:
		}
		panic(http.ErrAbortHandler)
	case Reset:
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	if f.Kind == Cut {
		w.Header().Set("Content-Length", "100000")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(`{"kind":"admin#directory#users","users":[{"id":`)) // the other side may have hung up
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write([]byte(f.Body)) // the other side may have hung up
	return true
}
