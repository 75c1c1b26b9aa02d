package sql

import (
	"context"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings/strict"
)

// settingsOf reads a block as operators write it.
func settingsOf(tb testing.TB, text string) *Config {
	tb.Helper()
	cfg := Defaults()
	doc := strict.Parse([]byte(text), strict.Options{Dir: "/"})
	if !doc.Root().Into(cfg) {
		tb.Fatal(doc.Problems())
	}
	return cfg
}

// same fails the test unless lines are those that are wanted.
func same(tb testing.TB, got []string, want ...string) {
	tb.Helper()
	if !slices.Equal(got, want) {
		tb.Errorf("got")
		for _, line := range got {
			tb.Errorf("  %s", line)
		}
		tb.Errorf("want")
		for _, line := range want {
			tb.Errorf("  %s", line)
		}
	}
}

// refused fails the test unless a read ends with an error of a class, before its first page.
func refused(tb testing.TB, c *Connector, stream string, class fault.Class, text string) {
	tb.Helper()
	err := c.Read(context.Background(), connectors.Request{Stream: stream, Mode: connectors.Full}, func(*connectors.Page) error {
		tb.Error("a page was emitted")
		return nil
	})
	if err == nil || fault.ClassOf(err) != class || !strings.Contains(err.Error(), text) {
		tb.Errorf("class %s: %v", fault.ClassOf(err), err)
	}
	if err != nil && strings.Contains(err.Error(), "personal") {
		tb.Errorf("the error quotes a row: %v", err)
	}
}

// found fails the test unless Check finds something wrong.
func found(tb testing.TB, c *Connector, subject, detail string) {
	tb.Helper()
	findings, err := c.Check(context.Background())
	for _, f := range findings {
		if f.Subject == subject && !f.OK && f.Detail == detail && f.Hint != "" {
			return
		}
	}
	tb.Errorf("%+v %v", findings, err)
}
