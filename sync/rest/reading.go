package rest

import (
	"context"
	"fmt"
	"net/http"

	"dirsyncd/sync/fault"
)

type writing struct{}

// Writing marks what is sent under a context as meant to change something at the service; see ReadOnly.
func Writing(ctx context.Context) context.Context { return context.WithValue(ctx, writing{}, true) }

// ReadOnly sends what reads, and refuses everything else but under Writing. A target marks what it was told to do and nothing
// else, so that nothing which only looks, such as a dry run, can change something there, whatever a mistake makes of it.
type ReadOnly struct {
	Next http.RoundTripper
	// Name is that of Options.
	Name func(*http.Request) string
	// Reads says of a request that is no GET that it reads all the same: a search by POST. Nil: none does.
	Reads func(*http.Request) bool
}

// RoundTrip implements http.RoundTripper.
func (t ReadOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if may, _ := r.Context().Value(writing{}).(bool); may || r.Method == http.MethodGet || t.Reads != nil && t.Reads(r) {
		return t.Next.RoundTrip(r)
	}
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return nil, &fault.Error{
		Class: fault.Internal, Op: t.Name(r), Where: r.URL.Host, Err: fmt.Errorf("a %s was to be sent where only reading is allowed", r.Method),
		Hint: "this is a defect: please report it",
	}
}
