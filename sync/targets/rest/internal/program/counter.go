package program

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite" // both programs keep their things in SQLite
)

// Service is a program behind a counter. Its methods may be called by several goroutines.
type Service struct {
	// URL leads through the counter; it has no path.
	URL string
	// Broken makes every request fail (503) while it is set.
	Broken atomic.Bool

	headers  http.Header
	database string
	mu       sync.Mutex
	requests map[string]int
	writes   int
	left     int // requests until cut is called
	writing  bool
	answered bool
	cut      func()
}

// Cut calls a function at the n-th request from now on, or, if writing is set, at the n-th that writes. The request gets no answer: it did not arrive, or, if done is set, its effect is there.
// The function of an earlier call is forgotten.
func (s *Service) Cut(n int, writing, done bool, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left, s.writing, s.answered, s.cut = n, writing, done, f
}

// Serve counts what is asked of the service at a port. Headers show who a test is that asks by Do; the database is a file of SQLite.
// Requests for which reads is true write nothing, whatever their method.
func Serve(tb testing.TB, port int, headers http.Header, database string, reads func(*http.Request) bool) *Service {
	tb.Helper()
	s := &Service{headers: headers, database: database, requests: map[string]int{}}
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	pass.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // clients are killed
	// A connection is not kept: the program ends it after some time, and a request that it meets then would be lost.
	pass.Transport = &http.Transport{DisableKeepAlives: true}
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests[r.Method]++
		writes := r.Method != http.MethodGet && r.Method != http.MethodHead && !reads(r)
		if writes {
			s.writes++
		}
		var cut func()
		if writes || !s.writing {
			if s.left--; s.left == 0 {
				cut = s.cut
			}
		}
		done := s.answered
		s.mu.Unlock()
		if cut != nil {
			if done {
				pass.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
			}
			cut()
			panic(http.ErrAbortHandler)
		}
		if s.Broken.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	tb.Cleanup(between.Close)
	s.URL = between.URL
	return s
}

// Requests is how many requests of each method there were.
func (s *Service) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]int{}
	for method, n := range s.requests {
		all[method] = n
	}
	return all
}

// Writes is how many requests there were that could change something.
func (s *Service) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Do asks as the account of the tests; in may be nil, and so may out. An answer that is no 2xx ends the test.
func (s *Service) Do(tb testing.TB, method, path string, in, out any) {
	tb.Helper()
	body := io.Reader(http.NoBody)
	if in != nil {
		data, err := json.Marshal(in)
		Check(tb, err)
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(tb.Context(), method, s.URL+path, body)
	Check(tb, err)
	req.Header = s.headers.Clone()
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: patience}).Do(req)
	Check(tb, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	Check(tb, err)
	if resp.StatusCode/100 != 2 {
		tb.Fatalf("%s %s: %s\n%s", method, path, resp.Status, data)
	}
	if out != nil {
		Check(tb, json.Unmarshal(data, out))
	}
}

// Person is somebody who is there before a test begins.
type Person struct {
	Login, Mail, Given, Family string
	// Remark is what a human wrote into a field of his own.
	Remark string
	// Gone: out of use.
	Gone bool
}

// Fill writes people into a database of SQLite before the service starts, in one transaction and much faster than by asking the
// service for each. row writes one with a number of his own.
func Fill(tb testing.TB, database string, people []Person, after string, row func(exec func(query string, args ...any), id int, p *Person)) {
	tb.Helper()
	db, err := sql.Open("sqlite", database)
	Check(tb, err)
	defer func() { _ = db.Close() }()
	var id int
	Check(tb, db.QueryRowContext(tb.Context(), after).Scan(&id))
	tx, err := db.BeginTx(tb.Context(), nil)
	Check(tb, err)
	for i := range people {
		id += 2
		row(func(query string, args ...any) {
			_, err := tx.ExecContext(tb.Context(), query, args...)
			Check(tb, err)
		}, id, &people[i])
	}
	Check(tb, tx.Commit())
}

// Rows hands over the rows of a query of the service's database, by the names of their columns, NULL as "NULL".
func (s *Service) Rows(tb testing.TB, query string, yield func(row map[string]string)) {
	tb.Helper()
	db, err := sql.Open("sqlite", "file:"+s.database+"?mode=ro&_pragma=busy_timeout(60000)")
	Check(tb, err)
	defer func() { _ = db.Close() }()
	rows, err := db.QueryContext(tb.Context(), query)
	Check(tb, err)
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	Check(tb, err)
	values, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		Check(tb, rows.Scan(into...))
		row := map[string]string{}
		for i, v := range values {
			if row[names[i]] = v.String; !v.Valid {
				row[names[i]] = "NULL"
			}
		}
		yield(row)
	}
	Check(tb, rows.Err())
}

// Answers reports whether a service at a port answers a path at all.
func Answers(port int, path string) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), http.NoBody)
		if err != nil {
			return err
		}
		resp, err := (&http.Client{Timeout: patience}).Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
}

// Alike compares two things of a dump, which a field tells apart, but for some of their fields.
func Alike(tb testing.TB, dump map[string]map[string]string, by, a, b string, but ...string) {
	tb.Helper()
	find := func(value string) map[string]string {
		for _, thing := range dump {
			if thing[by] == value {
				return thing
			}
		}
		tb.Fatalf("no thing with %s %s", by, value)
		return nil
	}
	x, y := find(a), find(b)
	for name := range y {
		if x[name] != y[name] && !slices.Contains(but, name) {
			tb.Errorf("%s of %s is %q, that of %s %q", name, a, x[name], b, y[name])
		}
	}
}
