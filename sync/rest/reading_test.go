package rest

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"dirsyncd/sync/fault"
)

// sent counts what is let through.
type sent struct{ n int }

func (s *sent) RoundTrip(*http.Request) (*http.Response, error) {
	s.n++
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func TestReadOnly(t *testing.T) {
	search := func(r *http.Request) bool { return r.URL.Path == "/search" }
	for _, tt := range []struct {
		method, path string
		ctx          func(context.Context) context.Context
		want         bool
	}{
		{http.MethodGet, "/users", nil, true},
		{http.MethodPost, "/users", nil, false},
		{http.MethodPut, "/users/1", nil, false},
		{http.MethodPatch, "/users/1", nil, false},
		{http.MethodDelete, "/users/1", nil, false},
		{http.MethodPost, "/search", nil, true},
		{http.MethodPost, "/users", Writing, true},
		{http.MethodDelete, "/users/1", Writing, true},
	} {
		for _, reads := range []func(*http.Request) bool{search, nil} {
			ctx := t.Context()
			if tt.ctx != nil {
				ctx = tt.ctx(ctx)
			}
			next := &sent{}
			client := &http.Client{Transport: ReadOnly{Next: next, Name: func(r *http.Request) string { return r.Method + " x" }, Reads: reads}}
			req, err := http.NewRequestWithContext(ctx, tt.method, "https://x.example"+tt.path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			want := tt.want && (reads != nil || tt.path != "/search")
			if (next.n == 1) != want || (fault.ClassOf(err) == fault.Internal) == want {
				t.Errorf("%s %s: sent %d, %v", tt.method, tt.path, next.n, err)
			}
		}
	}
}
