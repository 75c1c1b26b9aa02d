package files

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// decode reads a block as the configuration does.
func decode(t *testing.T, text string) (*Config, []string) {
	t.Helper()
	cfg := Defaults()
	doc := strict.Parse([]byte(text), strict.Options{Dir: "/etc/dirsyncd"})
	doc.Root().Into(cfg)
	problems := doc.Problems()
	var list []string
	for _, p := range problems {
		list = append(list, p.Message)
	}
	return cfg, list
}

func TestEveryKey(t *testing.T) {
	cfg, problems := decode(t, `
folder: imports
watch: true
poll: 30s
settle: 1m
done: {folder: done}
limits: {size: 10MiB, unpacked: 1GiB, ratio: 100, texts: 64MiB, row: 64KiB, field: 4096, columns: 50, rows: 1000, bad: 5}
kinds:
  customer:
    file: [customers-*.csv, old/customers.csv]
    take: newest
    format: csv
    csv: {separator: ";", quote: "'", encoding: windows-1252, dialect: mysql}
    header: 3
    trailer: {begins: TRL, count: 2, header: true, itself: true}
    absent: gone
    only: {column: type, is: [customer, prospect]}
    key: [country, number]
    columns: {name: Firm}
    attributes: all
    separator: "|"
    dates: dmy
    timezone: Europe/London
  person:
    file: book.xlsx
    sheets: [People, "Extra*"]
    header: none
    round_dates: true
  member:
    file: in.csv
    columns: {group: team, member: {column: mail, by: email}}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if issues := cfg.Validate(); len(issues) > 0 {
		t.Errorf("%+v", issues)
	}
	k := cfg.Kinds["customer"]
	if cfg.Folder != "/etc/dirsyncd/imports" || cfg.Settle.Std() != time.Minute || cfg.Limits.Size != 10<<20 || cfg.Limits.Field != 4096 || k.Header != 3 ||
		k.CSV.Separator != ";" || !k.Attributes.All || !slices.Equal(k.Key, []string{"country", "number"}) || cfg.Kinds["person"].Header != -1 || !k.Trailer.Itself {
		t.Errorf("%+v", cfg)
	}
}

func TestValidate(t *testing.T) {
	with := func(k Kind) *Config {
		cfg := Defaults()
		cfg.Folder, cfg.Kinds = "/x", map[string]Kind{"customer": k}
		return cfg
	}
	for _, tc := range []struct {
		name string
		cfg  *Config
		want string
	}{
		{"nothing", Defaults(), "folder must not be empty; kinds must not be empty"},
		{"an unknown kind", &Config{Folder: "/x", Kinds: map[string]Kind{"costumer": {}}, Limits: Defaults().Limits}, "kinds.costumer is no kind of object"},
		{"no file", with(Kind{}), "kinds.customer.file must not be empty"},
		{"outside", with(Kind{File: settings.Names{"../x.csv", "/etc/passwd", "[.csv"}}), `kinds.customer.file "../x.csv" must lie within folder; kinds.customer.file "/etc/passwd" must lie within folder; kinds.customer.file "[.csv" is no pattern`},
		{"words", with(Kind{File: settings.Names{"a"}, Take: "latest", Format: "xls", Absent: "leave", CSV: CSVConfig{Encoding: "utf8", Dialect: "postgres"}}),
			`kinds.customer.take unknown word "latest"; kinds.customer.format unknown word "xls"; kinds.customer.absent unknown word "leave"; kinds.customer.csv.encoding unknown word "utf8"; kinds.customer.csv.dialect unknown word "postgres"`},
		{"characters", with(Kind{File: settings.Names{"a"}, CSV: CSVConfig{Separator: "||", Quote: "''"}}), `kinds.customer.csv.separator "||" cannot stand between cells; kinds.customer.csv.quote "''" cannot stand around cells`},
		{"a trailer without its count", with(Kind{File: settings.Names{"a"}, Trailer: TrailerConfig{Begins: "T"}}), "kinds.customer.trailer takes begins and count together"},
		{"only half", with(Kind{File: settings.Names{"a"}, Only: OnlyConfig{Column: "x"}}), "kinds.customer.only takes column and is together"},
		{"columns", with(Kind{File: settings.Names{"a"}, Config: columns.Config{Columns: map[string]columns.Source{"nmae": columns.Column("x")}, Dates: "mdyy"}}), `kinds.customer.columns.nmae is no field of a customer; kinds.customer.dates unknown order "mdyy"`},
		{"done", func() *Config { c := with(Kind{File: settings.Names{"a"}}); c.Done.Folder = "../done"; return c }(), "done.folder must lie within folder"},
		{"watch", func() *Config { c := with(Kind{File: settings.Names{"a"}}); c.Watch, c.Poll = true, 0; return c }(), "poll must be 1s or more"},
		{"limits", func() *Config {
			c := with(Kind{File: settings.Names{"a"}})
			c.Limits.Columns, c.Limits.Row = 0, 10
			return c
		}(), "limits.row must be 1024 or more; limits.columns must be 1 or more"},
		{"members", &Config{Folder: "/x", Limits: Defaults().Limits, Kinds: map[string]Kind{"member": {File: settings.Names{"a"}, Absent: "gone", Config: columns.Config{Key: settings.Names{"x"}}}}}, "kinds.member.key is not for members; kinds.member.absent is not for members"},
	} {
		var got []string
		for _, i := range tc.cfg.Validate() {
			got = append(got, i.Path+" "+i.Message)
			if i.Hint == "" {
				t.Errorf("%s: %s %s has no hint", tc.name, i.Path, i.Message)
			}
		}
		if text := strings.Join(got, "; "); text != tc.want {
			t.Errorf("%s: got %s\nwant %s", tc.name, text, tc.want)
		}
	}
}

func TestAdvise(t *testing.T) {
	cfg := Defaults()
	cfg.Kinds = map[string]Kind{"member": {File: settings.Names{"m"}}, "person": {File: settings.Names{"p*"}, Take: takeAll, Absent: absentGone}}
	var paths []string
	for _, i := range cfg.Advise() {
		paths = append(paths, i.Path)
	}
	if !slices.Equal(paths, []string{"kinds.member", "kinds.person.take"}) {
		t.Errorf("got %v", paths)
	}
}

func TestUnread(t *testing.T) {
	cfg := Defaults()
	cfg.Kinds = map[string]Kind{"person": {Config: columns.Config{Columns: map[string]columns.Source{"title": columns.Column()}, Attributes: columns.Attributes{Names: []string{"shoe"}}}}}
	for name, want := range map[string]bool{"": false, "email": false, "title": true, "groups": true, "licences": true, "attributes.shoe": false, "attributes.hat": true} {
		if hint, unread := cfg.Unread(directory.Person, name); unread != want || unread && hint == "" {
			t.Errorf("%q: %t %q, want %t", name, unread, hint, want)
		}
	}
	if _, unread := cfg.Unread(directory.Device, ""); !unread {
		t.Error("devices are not read")
	}
}
