package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Every field of a line of the log is in the manual.
func TestLogFieldsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| field | meaning |")
	if !found {
		t.Fatal("docs/operations.md has no table of fields")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(table, -1) {
		documented[m[1]] = true
	}
	fields := map[string]string{}
	for _, root := range []string{"../../sync", "../../store", "../../connectors", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (strings.HasSuffix(d.Name(), "test") || slices.Contains([]string{"sim", "config", "strict", "halosim"}, d.Name())):
				return fs.SkipDir
			case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			return logFields(path, fields)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(fields) < 40 {
		t.Fatalf("only %d fields were found", len(fields))
	}
	for name, path := range fields {
		if !documented[name] {
			t.Errorf("docs/operations.md does not say what the field %s is, of a line in %s", name, path)
		}
	}
}

// logFields notes the fields of the lines that a file writes.
func logFields(path string, fields map[string]string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return err
	}
	name := regexp.MustCompile(`^[a-z_]+$`)
	before := map[string]int{"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "Log": 3, "With": 0} // arguments before the fields
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		from, ok := before[method.Sel.Name]
		if !ok || len(call.Args) <= from {
			return true
		}
		if from > 0 {
			if text, ok := call.Args[from-1].(*ast.BasicLit); !ok || text.Kind != token.STRING {
				return true
			}
		}
		for i := from; i < len(call.Args); i += 2 {
			if key, ok := call.Args[i].(*ast.BasicLit); ok && key.Kind == token.STRING {
				if text, err := strconv.Unquote(key.Value); err == nil && name.MatchString(text) {
					fields[text] = path
				}
			}
		}
		return true
	})
	return nil
}
