package files

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/files/internal/tables"
	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// Config is the block `files:` of a connection.
type Config struct {
	// Folder is where the files are.
	Folder settings.Path `yaml:"folder"`
	// Kinds says which files hold what: customer, site, person, group, member, licence, device.
	Kinds map[string]Kind `yaml:"kinds"`
	// Done is where files are moved after they were read and stored.
	Done DoneConfig `yaml:"done"`
	// Watch begins a run when a file has changed.
	Watch bool `yaml:"watch"`
	// Poll is how often a watched folder is looked at besides, for network shares that tell of no change.
	Poll settings.Duration `yaml:"poll"`
	// Settle is how long a file must have been left alone before it is read.
	Settle settings.Duration `yaml:"settle"`
	// Limits bound what a file may hold.
	Limits LimitsConfig `yaml:"limits"`
}

// DoneConfig says what becomes of a file that was read.
type DoneConfig struct {
	// Folder is where it is moved, within the folder of the files; empty: it stays.
	Folder string `yaml:"folder"`
}

// Kind says where the rows of one kind are, and what their columns mean.
type Kind struct {
	// File names the files within the folder; * and ? stand for anything.
	File settings.Names `yaml:"file"`
	// Take is which of several files count: all of them, or the newest.
	Take string `yaml:"take"`
	// Format is csv, xlsx, ldif or jsonl. Default: what the file's name ends with.
	Format string `yaml:"format"`
	// CSV is how CSV files are written. Default: it is found.
	CSV CSVConfig `yaml:"csv"`
	// Sheets are those of a workbook; * stands for anything. Default: the first that is not hidden.
	Sheets settings.Names `yaml:"sheets"`
	// Header is the line of the header, or none. Default: the first line that is not blank.
	Header Header `yaml:"header"`
	// RoundDates takes days that a workbook holds with a time shortly before midnight for the next day.
	RoundDates bool `yaml:"round_dates"`
	// Trailer is a last row that says how many there are.
	Trailer TrailerConfig `yaml:"trailer"`
	// Only are the rows that are of the kind, where a file has others, too.
	Only OnlyConfig `yaml:"only"`
	// Absent says what it means that an object is in the file no longer: keep (nothing), or gone.
	Absent string `yaml:"absent"`

	columns.Config `yaml:",inline"`
}

// CSVConfig is how CSV files are written.
type CSVConfig struct {
	Separator string `yaml:"separator"`
	Quote     string `yaml:"quote"`
	Encoding  string `yaml:"encoding"`
	Dialect   string `yaml:"dialect"`
}

// OnlyConfig is how rows of a kind are known among others: one of the values of a column is one of some, in any case.
type OnlyConfig struct {
	Column string         `yaml:"column"`
	Is     settings.Names `yaml:"is"`
}

// TrailerConfig is how the row is known that counts the others, and where its count stands.
type TrailerConfig struct {
	// Begins is what its first cell begins with.
	Begins string `yaml:"begins"`
	// Count is the number of the cell with the count, from 1.
	Count int `yaml:"count"`
	// Header counts the header, too, and Itself the trailer.
	Header bool `yaml:"header"`
	Itself bool `yaml:"itself"`
}

// LimitsConfig bounds what a file may hold.
type LimitsConfig struct {
	Size     Size `yaml:"size"`     // of a file
	Unpacked Size `yaml:"unpacked"` // of a workbook
	Ratio    int  `yaml:"ratio"`    // of packing, in a workbook
	Texts    Size `yaml:"texts"`    // that the sheets of a workbook share
	Row      Size `yaml:"row"`
	Field    Size `yaml:"field"`
	Columns  int  `yaml:"columns"`
	Rows     int  `yaml:"rows"`
	Bad      int  `yaml:"bad"` // rows that cannot be read
}

// Header is the line of the header; 0: the first that is not blank; -1: there is none.
type Header int

// DecodeStrict reads a number or "none".
func (h *Header) DecodeStrict(v strict.Value) {
	if v.Kind() == strict.Text {
		if text, _ := v.Text(); text != "none" {
			v.Problem("write the number of the line, or none", "%s: unknown word %q", v.Label(), text)
			return
		}
		*h = Header(tables.NoHeader)
		return
	}
	var n int
	if v.Into(&n) {
		if n < 1 {
			v.Problem("the first line is 1", "%s: there is no line %d", v.Label(), n)
			return
		}
		*h = Header(n)
	}
}

// The words of the configuration.
const (
	takeAll    = "all"
	takeNewest = "newest"
	absentKeep = "keep"
	absentGone = "gone"

	formatCSV  = "csv"
	formatXLSX = "xlsx"
	formatLDIF = "ldif"
	formatJSON = "jsonl"

	dialectMySQL = "mysql"
	wordMember   = "member"
)

// Defaults returns a configuration with the defaults set.
func Defaults() *Config {
	d := tables.DefaultLimits()
	return &Config{
		Poll: settings.Duration(time.Minute), Settle: settings.Duration(10 * time.Second),
		Limits: LimitsConfig{
			Size: 2 << 30, Unpacked: Size(d.Unpacked), Ratio: int(d.Ratio), Texts: Size(d.Texts), Row: Size(d.Row), Field: Size(d.Field),
			Columns: d.Columns, Rows: 10_000_000, Bad: 10_000,
		},
	}
}

func (c *Config) tableLimits() tables.Limits {
	l := c.Limits
	return tables.Limits{
		Columns: l.Columns, Field: int(l.Field), Row: int(l.Row), Unpacked: int64(l.Unpacked), Ratio: int64(l.Ratio), Texts: int64(l.Texts),
	}
}

// words lists the keys of kinds, in the order in which they are read.
func words() []string {
	var list []string
	for _, s := range streams() {
		list = append(list, s.word)
		if s.word == directory.Group.String() {
			list = append(list, wordMember)
		}
	}
	return list
}

// kindOf is the kind of object that a key of kinds stands for; members have none of their own.
func kindOf(word string) (directory.Kind, bool) {
	for _, k := range directory.Kinds() {
		if k.String() == word {
			return k, true
		}
	}
	return 0, false
}

func (k *Kind) gone() bool { return k.Absent == absentGone }

// newest reports whether only the newest of several files counts: by default, where a file is the whole list.
func (k *Kind) newest() bool {
	return k.Take == takeNewest || k.Take == "" && k.gone()
}

// pairs is the part of the block that rows of members use.
func (k *Kind) pairs() *columns.PairsConfig { return &columns.PairsConfig{Columns: k.Columns} }

// Validate reports everything that is wrong with the block, without looking at the folder.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	report := issues.Report
	if c.Folder == "" {
		report("folder", "folder: /var/lib/dirsyncd/imports", "must not be empty")
	}
	if len(c.Kinds) == 0 {
		report("kinds", "kinds: {customer: {file: customers.csv, key: number}}", "must not be empty")
	}
	for _, word := range slices.Sorted(maps.Keys(c.Kinds)) {
		kind := c.Kinds[word]
		if !slices.Contains(words(), word) {
			report("kinds."+word, spelling.Suggest(word, words()), "is no kind of object")
			continue
		}
		kind.validate(word, "kinds."+word+".", report)
	}
	if d := c.Done.Folder; d != "" && (!filepath.IsLocal(d) || filepath.Clean(d) == ".") {
		report("done.folder", "done: {folder: done} is a folder within that of the files: a file can only be moved within one file system", "must lie within folder")
	}
	if c.Watch && c.Poll.Std() < time.Second {
		report("poll", "poll: 1m; changes that the system tells of are seen at once", "must be 1s or more")
	}
	if c.Settle.Std() > time.Hour {
		report("settle", "settle: 10s", "must be 1h or less")
	}
	c.Limits.validate(report)
	return issues
}

func (k *Kind) validate(word, at string, report settings.Reporter) {
	if len(k.File) == 0 {
		report(at+"file", "file: "+word+"s.csv, or a pattern: "+word+"s-*.csv", "must not be empty")
	}
	for _, pattern := range k.File {
		if _, err := path.Match(pattern, ""); err != nil {
			report(at+"file", "* and ? stand for anything, [abc] for one of some", "%q is no pattern", pattern)
		} else if !filepath.IsLocal(pattern) {
			report(at+"file", "write it as it is called within folder", "%q must lie within folder", pattern)
		}
	}
	oneOf := func(key, value string, known ...string) {
		if value != "" && !slices.Contains(known, value) {
			report(at+key, spelling.Suggest(value, known), "unknown word %q", value)
		}
	}
	oneOf("take", k.Take, takeAll, takeNewest)
	oneOf("format", k.Format, formatCSV, formatXLSX, formatLDIF, formatJSON)
	oneOf("absent", k.Absent, absentKeep, absentGone)
	oneOf("csv.encoding", k.CSV.Encoding, tables.Encodings()...)
	oneOf("csv.dialect", k.CSV.Dialect, dialectMySQL)
	if s := k.CSV.Separator; s != "" && (len(s) != 1 || s[0] >= 0x80 || strings.ContainsAny(s, "\r\n\"") || s == k.CSV.Quote) {
		report(at+"csv.separator", `one character, such as ";" or "\t"`, "%q cannot stand between cells", s)
	}
	if q := k.CSV.Quote; q != "" && q != "none" && (len(q) != 1 || q[0] >= 0x80 || strings.ContainsAny(q, "\r\n\\")) {
		report(at+"csv.quote", `one character, such as "'", or none`, "%q cannot stand around cells", q)
	}
	for i, pattern := range k.Sheets {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			report(fmt.Sprintf("%ssheets[%d]", at, i), "write the name on the tab; * stands for anything", "%q is no pattern", pattern)
		}
	}
	if t := k.Trailer; (t.Begins == "") != (t.Count == 0) || t.Count < 0 {
		report(at+"trailer", "trailer: {begins: TRL, count: 2}: the first cell begins with TRL, and the second holds the count", "takes begins and count together")
	}
	if o := k.Only; (o.Column == "") != (len(o.Is) == 0) {
		report(at+"only", "only: {column: objectClass, is: inetOrgPerson}", "takes column and is together")
	}
	if word != wordMember {
		kind, _ := kindOf(word)
		k.Config.Validate(kind, at, report)
		return
	}
	k.pairs().Validate(at, report)
	for _, key := range []struct {
		name string
		set  bool
	}{
		{"key", len(k.Key) > 0},
		{"attributes", k.Attributes.All || len(k.Attributes.Names) > 0},
		{"separator", k.Separator != ""},
		{"absent", k.Absent != ""},
	} {
		if key.set {
			report(at+key.name, "a row of members names a group and one of its members: columns: {group: COLUMN, member: COLUMN}", "is not for members")
		}
	}
}

func (l *LimitsConfig) validate(report settings.Reporter) {
	d := Defaults().Limits
	for _, limit := range []struct {
		key            string
		is, least, def int64
	}{
		{"size", int64(l.Size), 1, int64(d.Size)},
		{"unpacked", int64(l.Unpacked), 1, int64(d.Unpacked)},
		{"ratio", int64(l.Ratio), 1, int64(d.Ratio)},
		{"texts", int64(l.Texts), 1, int64(d.Texts)},
		{"row", int64(l.Row), 1024, int64(d.Row)},
		{"field", int64(l.Field), 1024, int64(d.Field)},
		{"columns", int64(l.Columns), 1, int64(d.Columns)},
		{"rows", int64(l.Rows), 1, int64(d.Rows)},
		{"bad", int64(l.Bad), 1, int64(d.Bad)},
	} {
		if limit.is < limit.least {
			report("limits."+limit.key, fmt.Sprintf("the default is %d", limit.def), "must be %d or more", limit.least)
		}
	}
	if l.Row > 64<<20 {
		report("limits.row", "a row is held in memory as a whole", "must be 64MiB or less")
	}
	if l.Columns > 16384 {
		report("limits.columns", "no spreadsheet has more", "must be 16384 or less")
	}
}

var (
	_ connectors.Selective = (*Config)(nil)
	_ settings.Adviser     = (*Config)(nil)
)

// Advise names what is allowed and probably not meant.
func (c *Config) Advise() []settings.Issue {
	var issues settings.Issues
	if members, ok := c.Kinds[wordMember]; ok {
		if group, ok := c.Kinds[directory.Group.String()]; !ok {
			issues.Report("kinds.member", "add kinds: {group: …}", "names members of groups, and no file holds the groups")
		} else if _, also := group.Columns["members"]; also && len(members.File) > 0 {
			issues.Report("kinds.group.columns.members", "keep one of the two", "members are read from two places, and only those count that stand in the rows of members")
		}
	}
	for _, word := range slices.Sorted(maps.Keys(c.Kinds)) {
		kind := c.Kinds[word]
		if kind.gone() && kind.Take == takeAll && slices.ContainsFunc([]string(kind.File), wild) {
			issues.Report("kinds."+word+".take", "take: newest, or move what was read with done", "with absent: gone the files together are the whole list; an older one that stays keeps everybody who is in it")
		}
	}
	return issues
}

func wild(pattern string) bool { return strings.ContainsAny(pattern, `*?[`) }

// Local says what the connection needs of its machine; it is for package config.
func (c *Config) Local() string { return "the folder " + string(c.Folder) }

// Unread implements connectors.Selective. What columns a file has is not known before it is there, so only what cannot be
// there is named.
func (c *Config) Unread(kind directory.Kind, name string) (hint string, unread bool) {
	if hint, unread := connectors.UnreadTenant(name); unread {
		return hint, true
	}
	k, ok := c.Kinds[kind.String()]
	switch {
	case !ok:
		return "add files.kinds." + kind.String(), true
	case name == directory.FieldSearch:
		return "rows are found by no search: remove it", true
	case name == "groups":
		_, has := c.Kinds[directory.Group.String()]
		return "add files.kinds.group", !has
	case name == "licences":
		_, has := c.Kinds[directory.Licence.String()]
		return "add files.kinds.licence", !has
	}
	if source, said := k.Columns[name]; said && !source.IsFixed && len(source.Columns) == 0 {
		return "name its column in files.kinds." + kind.String() + ".columns." + name, true
	}
	if k.Attributes.All {
		return "", false
	}
	return connectors.UnreadAttribute("files.kinds."+kind.String()+".attributes", k.Attributes.Names, name)
}
