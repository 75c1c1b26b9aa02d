package halo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets/halo/halosim"
)

func describedAPI(t *testing.T) *halosim.API {
	t.Helper()
	api, err := halosim.Describe()
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// TestNames: every name that the code reads of an answer, or writes into a body, stands in the description of the API.
func TestNames(t *testing.T) {
	api := describedAPI(t)
	known := map[string]bool{}
	for _, name := range api.Names() {
		known[name] = true
	}
	paths := map[string]bool{}
	for path := range api.Resources {
		paths[path] = true
	}
	set := token.NewFileSet()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	checked := 0
	check := func(at token.Pos, name string) {
		checked++
		if !known[name] {
			t.Errorf("%s: %q is not in api.json", set.Position(at), name)
		}
	}
	text := func(e ast.Expr) (string, bool) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(lit.Value)
		return s, err == nil
	}
	readers := []string{"text", "id", "flag", "is", "has", "number", "objects", "whole"}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				f, method := n.Fun.(*ast.SelectorExpr)
				if method && len(n.Args) == 1 && slices.Contains(readers, f.Sel.Name) {
					if name, is := text(n.Args[0]); is {
						check(n.Pos(), name)
					}
				}
				if method && (f.Sel.Name == "read" || f.Sel.Name == "list") && len(n.Args) > 1 {
					if path, is := text(n.Args[1]); is && !paths[strings.SplitN(path, "/", 2)[0]] {
						t.Errorf("%s: %q is no path in api.json", set.Position(n.Pos()), path)
					}
				}
			case *ast.CompositeLit:
				if of, is := n.Type.(*ast.Ident); is && of.Name == "object" {
					for _, e := range n.Elts {
						if kv, is := e.(*ast.KeyValueExpr); is {
							if name, is := text(kv.Key); is {
								check(kv.Pos(), name)
							}
						}
					}
				}
			case *ast.AssignStmt:
				for _, left := range n.Lhs {
					if at, is := left.(*ast.IndexExpr); is {
						if of, is := at.X.(*ast.Ident); is && of.Name == "body" {
							if name, is := text(at.Index); is {
								check(at.Pos(), name)
							}
						}
					}
				}
			}
			return true
		})
	}
	if checked < 60 {
		t.Errorf("%d names were found in the code: does this test still see them?", checked)
	}
}

// TestKinds: what the table of kinds says stands in the description, for that kind.
func TestKinds(t *testing.T) {
	api := describedAPI(t)
	for _, kind := range directory.RecordKinds() {
		r := resourceOf(kind)
		if r == nil {
			continue
		}
		about, known := api.Resources[r.path]
		if !known || about.Envelope != r.envelope {
			t.Errorf("%s: %s with the envelope %q is not described", kind, r.path, r.envelope)
		}
		types := about.Types()
		names := slices.Collect(maps.Values(r.fields))
		for _, more := range []map[string]any{r.quiet, r.fresh} {
			names = append(names, slices.Collect(maps.Keys(more))...)
		}
		for _, key := range r.about.Keys {
			if key.Name != "azure_tenant_id" {
				names = append(names, key.Name)
			}
		}
		names = append(names, r.off, r.on, r.name, r.marked, r.changed)
		if r.linked {
			names = append(names, "new_external_link", "external_links")
		}
		for _, name := range names {
			if name != "" && types[name] == "" {
				t.Errorf("%s: %s has no property %s", kind, r.path, name)
			}
		}
		for name := range r.every {
			if !slices.Contains(about.List, name) {
				t.Errorf("%s: the list of %s has no parameter %s", kind, r.path, name)
			}
		}
		if r.tickets != "" && !slices.Contains(api.Resources["Tickets"].List, r.tickets) {
			t.Errorf("%s: tickets have no filter %s", kind, r.tickets)
		}
	}
	for _, g := range groupKinds() {
		about, known := api.Resources[g.path]
		if !known || about.Envelope != "" {
			t.Errorf("%s is not described", g.path)
		}
		for name := range g.every {
			if !slices.Contains(about.List, name) {
				t.Errorf("the list of %s has no parameter %s", g.path, name)
			}
		}
		if person := api.Resources[g.person]; g.on != "" && (person.Types()[g.on] != "list" || !slices.Contains(api.Elements[g.on].Properties, g.ref)) {
			t.Errorf("%s has no list %s with %s", g.person, g.on, g.ref)
		}
	}
}

// TestSources: every name says where it is from.
func TestSources(t *testing.T) {
	api := describedAPI(t)
	for path, r := range api.Resources {
		for from := range r.Properties {
			if api.Sources[from] == "" {
				t.Errorf("%s: the source %q is none", path, from)
			}
		}
		for _, name := range r.Row {
			if r.Types()[name] == "" {
				t.Errorf("%s: a row has %s, and the thing has not", path, name)
			}
		}
		if api.Sources[r.From] == "" {
			t.Errorf("%s: the source %q is none", path, r.From)
		}
	}
}
