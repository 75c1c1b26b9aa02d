package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/fault"
)

// openAtOnce opens a state three times at once.
func (r *rig) openAtOnce(t *testing.T, opts postgres.Options) {
	t.Helper()
	var done sync.WaitGroup
	opts.URL = r.url
	for range 3 {
		done.Go(func() {
			s, err := postgres.Open(t.Context(), opts)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
}

// Several processes that start at the same time make a schema, and bring it up to date, once.
func migrations(t *testing.T, r *rig) {
	opts := postgres.Options{Schema: r.schema(t)}
	r.openAtOnce(t, opts)
	r.openAtOnce(t, opts.WithSteps(postgres.Steps(`alter table @.tenant add column one int`)))
	two := opts.WithSteps(postgres.Steps(`alter table @.tenant add column one int`, `alter table @.tenant add column two int`))
	r.openAtOnce(t, two)
	bad := opts.WithSteps(postgres.Steps(`-`, `-`, `alter table @.tenant add column three int; alter table @.nothing add column x int`))
	bad.URL = r.url
	if _, err := postgres.Open(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "upgrade state: changed by a test") {
		t.Errorf("a step that fails: %v", err)
	}
	r.openAtOnce(t, two) // and it left no trace
	// The program without those steps is older now.
	for _, readOnly := range []bool{false, true} {
		opts.URL, opts.ReadOnly = r.url, readOnly
		_, err := postgres.Open(t.Context(), opts)
		if fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), "the state has version 3, this program knows versions up to 1") {
			t.Errorf("a newer state: %v", err)
		}
	}
}

// What is not there is not made by who only looks, and what somebody else made is left as it is.
func strangers(t *testing.T, r *rig) {
	opts := postgres.Options{URL: r.url, Schema: r.schema(t), ReadOnly: true}
	if _, err := postgres.Open(t.Context(), opts); !errors.Is(err, postgres.ErrNone) {
		t.Errorf("nothing: %v", err)
	}
	r.Exec("CREATE SCHEMA "+opts.Schema, "CREATE TABLE "+opts.Schema+".shop (id int)")
	for _, opts.ReadOnly = range []bool{true, false} {
		if _, err := postgres.Open(t.Context(), opts); fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), "not a state of dirsyncd") {
			t.Errorf("somebody else's: %v", err)
		}
	}
	for url, want := range map[string]string{
		"postgres://nobody:wrong@" + r.address + "/" + r.Name + "?sslmode=disable":     "check the user and the password",
		strings.Replace(r.url, "/"+r.Name, "/nowhere", 1):                              "make the database",
		"postgres://x:s3cret-mark@" + r.address + "/" + r.Name + "?sslmode=unheard-of": "cannot be read",
	} {
		_, err := postgres.Open(t.Context(), postgres.Options{URL: url})
		if fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret-mark") {
			t.Errorf("%s: %v", want, err)
		}
	}
	made := postgres.Options{URL: r.url, Schema: r.schema(t)}
	if s := r.openSchema(t, made); !s.Begun() {
		t.Error("a new state is not told")
	}
	made.ReadOnly = true
	s := r.openSchema(t, made)
	if err := s.Update(t.Context(), hq, count); err == nil {
		t.Error("a state that was opened for reading took a write")
	}
	if err := s.View(t.Context(), hq, func(store.Reader) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A server that has to prove who it is does; with another authority nothing is said to it.
func encrypted(t *testing.T, r *rig) {
	schema := r.schema(t)
	url := strings.Replace(r.url, "sslmode=disable", "sslmode=verify-full&sslrootcert="+r.ca, 1)
	if err := r.openSchema(t, postgres.Options{URL: url, Schema: schema}).Update(t.Context(), hq, count); err != nil {
		t.Error(err)
	}
	_, err := postgres.Open(t.Context(), postgres.Options{URL: strings.Replace(url, "&sslrootcert="+r.ca, "", 1), Schema: schema})
	if err == nil {
		t.Error("a server that nobody vouches for was believed")
	}
}

// Every server that is not on this machine proves who it is, unless the URL says otherwise.
func TestServersProveWhoTheyAre(t *testing.T) {
	for url, proves := range map[string]bool{
		"postgres://me@db.example.test/state":                     true,
		"postgres://me@localhost,db.example.test/state":           true,
		"postgres://me@db.example.test,localhost:5433/state":      true,
		"host=localhost,db.example.test user=me":                  true,
		"postgres://sslmode@db.example.test/sslmode":              true,
		"host=db.example.test user=my-sslmode":                    true,
		"host=db.example.test user=me sslmode=require":            false,
		"postgres://me@db.example.test/state?sslmode=require":     false,
		"postgres://me@localhost/state?host=/run,db.example.test": true,
	} {
		hosts, err := postgres.Hosts(url)
		if err != nil {
			t.Fatal(err)
		}
		at, remote := hosts["db.example.test"]
		if !remote {
			continue
		}
		if verified := at != nil && !at.InsecureSkipVerify && at.ServerName == "db.example.test"; verified != proves {
			t.Errorf("%s: verified %v", url, verified)
		}
	}
}

// A role that may not make schemas makes do with one that is there, empty or not.
func noCreate(t *testing.T, r *rig) {
	schema := r.schema(t)
	opts := postgres.Options{Schema: schema, URL: strings.Replace(r.url, postgrestest.Admin+":"+postgrestest.AdminPassword, r.Reader+":"+postgrestest.ReaderPassword, 1)}
	if _, err := postgres.Open(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "permission denied") || !strings.Contains(fault.Hint(err), "CREATE SCHEMA "+schema+" AUTHORIZATION") {
		t.Errorf("without a schema: %v", err)
	}
	r.Exec("CREATE SCHEMA " + schema + " AUTHORIZATION " + r.Reader)
	for range 2 {
		if err := r.openSchema(t, opts).Update(t.Context(), hq, count); err != nil {
			t.Fatal(err)
		}
	}
}
