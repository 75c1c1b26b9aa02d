package files

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// company is a folder of files that a test changes.
type company struct {
	tb     testing.TB
	folder string
	tables map[string][][]string // by the word of the kind; the first row is the header
	turn   int
	dry    bool // reads are
}

const companySize = 90

func newCompany(tb testing.TB) *company {
	c := &company{tb: tb, folder: tb.TempDir(), tables: map[string][][]string{
		"customer": {{"number", "name", "domain"}},
		"site":     {{"number", "name", "customer"}},
		"person":   {{"number", "name", "email", "boss", "born"}},
		"group":    {{"number", "name", "members"}},
		"licence":  {{"number", "name", "quantity"}},
		"device":   {{"number", "name", "owner"}},
	}}
	for i := range companySize {
		n := fmt.Sprintf("%04d", i)
		c.add("customer", n, "Customer "+n, "c"+n+".test")
		c.add("site", n, "Site "+n, n)
		c.add("person", n, "Person "+n, "p"+n+"@example.test", "0000", "1990-01-01")
		c.add("group", n, "Group "+n, n+";0001")
		c.add("licence", n, "Licence "+n, "10")
		c.add("device", n, "Device "+n, n)
	}
	c.write()
	return c
}

func (c *company) add(word string, cells ...string) { c.tables[word] = append(c.tables[word], cells) }

func (c *company) write() {
	c.tb.Helper()
	for word := range c.tables {
		c.writeOne(word)
	}
}

// writeOne writes the file of a kind and renames it into its place.
func (c *company) writeOne(word string) {
	c.tb.Helper()
	var b strings.Builder
	for _, row := range c.tables[word] {
		b.WriteString(strings.Join(row, ",") + "\n")
	}
	c.put(word+".csv", b.String())
}

func (c *company) put(name, text string) {
	c.tb.Helper()
	if err := os.WriteFile(c.path("new.tmp"), []byte(text), 0o600); err != nil {
		c.tb.Fatal(err)
	}
	if err := os.Rename(c.path("new.tmp"), c.path(name)); err != nil {
		c.tb.Fatal(err)
	}
}

func (c *company) path(name string) string { return filepath.Join(c.folder, name) }

// config reads all kinds of the company. It does not wait for files to be left alone.
func (c *company) config(absent string) *Config {
	cfg := Defaults()
	cfg.Folder, cfg.Settle, cfg.Kinds = settings.Path(c.folder), 0, map[string]Kind{}
	for word := range c.tables {
		if _, known := kindOf(word); !known {
			continue
		}
		k := Kind{File: settings.Names{word + ".csv"}, Absent: absent}
		k.Key = settings.Names{"number"}
		if word == "person" {
			k.Columns = map[string]columns.Source{"manager": columns.Column("boss"), "created": columns.Column("born")}
		}
		cfg.Kinds[word] = k
	}
	return cfg
}

func (c *company) open(cfg *Config) *Connector {
	c.tb.Helper()
	if issues := cfg.Validate(); len(issues) > 0 {
		c.tb.Fatal(issues)
	}
	conn := open(cfg, connectors.Env{Now: time.Now})
	conn.pageSize = 10
	return conn
}

func wordOf(stream string) string {
	for _, s := range streams() {
		if s.name == stream {
			return s.word
		}
	}
	return ""
}

func ref(word, n string) directory.Ref {
	kind, _ := kindOf(word)
	return directory.Ref{Kind: kind, ID: columns.ID(kind, n)}
}

func (c *company) fixture(conn connectors.Connector) *connectortest.Fixture {
	edit := func(stream string, do func(word string, rows [][]string) string) directory.Ref {
		word := wordOf(stream)
		n := do(word, c.tables[word])
		c.writeOne(word)
		return ref(word, n)
	}
	return &connectortest.Fixture{
		Connector: conn,
		Add: func(_ testing.TB, stream string) directory.Ref {
			return edit(stream, func(word string, rows [][]string) string {
				c.turn++
				row := append([]string{fmt.Sprintf("9%03d", c.turn)}, rows[1][1:]...)
				c.tables[word] = append(rows, row)
				return row[0]
			})
		},
		Change: func(_ testing.TB, stream string) directory.Ref {
			return edit(stream, func(_ string, rows [][]string) string {
				c.turn++
				rows[5][1] = fmt.Sprintf("Changed %d", c.turn)
				return rows[5][0]
			})
		},
		Rename: func(_ testing.TB, stream string) directory.Ref {
			return edit(stream, func(_ string, rows [][]string) string {
				rows[6][1] = "Renamed"
				return rows[6][0]
			})
		},
		Delete: func(_ testing.TB, stream string) directory.Ref {
			return edit(stream, func(word string, rows [][]string) string {
				n := rows[7][0]
				c.tables[word] = append(rows[:7:7], rows[8:]...)
				return n
			})
		},
		Break: func(tb testing.TB, how connectortest.Breakage) {
			switch how {
			case connectortest.Unreachable:
				if err := os.Rename(c.folder, c.folder+"-away"); err != nil {
					tb.Fatal(err)
				}
			case connectortest.MidListing:
				for word := range c.tables {
					if err := os.WriteFile(c.path(word+".csv"), []byte("number,name\n"), 0o600); err != nil {
						tb.Fatal(err)
					}
				}
			case connectortest.LostCursors:
				for word := range c.tables {
					c.tables[word][1][1] += " anew"
				}
				c.write()
			case connectortest.BadEntry:
				for word, rows := range c.tables {
					c.tables[word] = append(rows, []string{"8888", "a", "b", "c", "d", "e", "too many"})
				}
				c.write()
			}
		},
	}
}

func TestConformance(t *testing.T) {
	unsupported := map[connectortest.Breakage]string{
		connectortest.BadCredentials:    "files have none",
		connectortest.MissingPermission: "tests may run as root, who may read everything",
		connectortest.Silence:           "a folder answers",
		connectortest.LostCursors:       "a cursor is good as long as the settings are",
	}
	t.Run("keep", func(t *testing.T) {
		connectortest.Run(t, connectortest.Harness{Unsupported: unsupported, Start: func(tb testing.TB) *connectortest.Fixture {
			c := newCompany(tb)
			return c.fixture(connectors.Guard(c.open(c.config(absentKeep))))
		}})
	})
	// Where a file is the whole list, a changed one is no delta: its cursor has expired.
	t.Run("gone", func(t *testing.T) {
		lost := map[connectortest.Breakage]string{}
		for how, why := range unsupported {
			if how != connectortest.LostCursors {
				lost[how] = why
			}
		}
		connectortest.Run(t, connectortest.Harness{Unsupported: lost, Start: func(tb testing.TB) *connectortest.Fixture {
			c := newCompany(tb)
			f := c.fixture(connectors.Guard(c.open(c.config(absentGone))))
			f.Add, f.Change, f.Rename, f.Delete = nil, nil, nil, nil
			return f
		}})
	})
}
