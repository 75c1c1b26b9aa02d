package sql

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"dirsyncd/connectors/internal/columns"
	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/spelling"
)

// Config is the block `sql:` of a connection.
type Config struct {
	database.Server `yaml:",inline"`
	// Timeout is how long a query may take, its last row included.
	Timeout settings.Duration `yaml:"timeout"`
	// Kinds says by which queries objects are read: customer, site, person, group, member, licence, device.
	Kinds map[string]Kind `yaml:"kinds"`
}

// Kind says how the objects of a kind are read, or (member) who is in which group, a row for each.
type Kind struct {
	// Query is one SELECT that lists them all.
	Query string `yaml:"query" strict:"required"`
	// Count is a SELECT of how many there are; it is asked in the same snapshot.
	Count   string   `yaml:"count"`
	Changed *Changed `yaml:"changed"`
	// Absent says what it means that an object is listed no longer: keep (nothing), or gone.
	Absent string `yaml:"absent"`

	columns.Config `yaml:",inline"`
}

// Changed says how rows are found that changed since the last read.
type Changed struct {
	// Column holds the time of a row's last change.
	Column string `yaml:"column" strict:"required"`
	// Overlap is how much longer ago changes are read again: as long as the longest transaction that writes.
	Overlap settings.Duration `yaml:"overlap"`
	// As says what the column holds: time, or whole seconds or milliseconds since 1970.
	As string `yaml:"as"`
}

// The words of Config and Changed.
const (
	absentKeep = "keep"
	absentGone = "gone"

	asTime         = "time"
	asSeconds      = "seconds"
	asMilliseconds = "milliseconds"

	usualOverlap = settings.Duration(5 * time.Minute)
)

// Defaults returns a configuration with the defaults set.
func Defaults() *Config {
	return &Config{Server: database.Defaults(), Timeout: settings.Duration(10 * time.Minute)}
}

// wordMember is the kind of rows that are no objects.
const wordMember = "member"

// source is what one stream reads.
type source struct {
	stream, word string
	kind         directory.Kind
	query        *Kind
	members      *Kind // groups only
}

// streams are all that there can be, in the order in which they are read: what others refer to comes first.
func streams() []source {
	return []source{
		{stream: "customers", word: "customer", kind: directory.Customer},
		{stream: "sites", word: "site", kind: directory.Site},
		{stream: "users", word: "person", kind: directory.Person},
		{stream: "groups", word: "group", kind: directory.Group},
		{stream: "licences", word: "licence", kind: directory.Licence},
		{stream: "devices", word: "device", kind: directory.Device},
	}
}

// words lists what Config.Kinds can name.
func words() []string {
	list := []string{wordMember}
	for _, s := range streams() {
		list = append(list, s.word)
	}
	return list
}

// sources lists what is read.
func (c *Config) sources() []source {
	var list []source
	for _, s := range streams() {
		query, ok := c.Kinds[s.word]
		if !ok {
			continue
		}
		s.query = &query
		if members, ok := c.Kinds[wordMember]; ok && s.kind == directory.Group {
			s.members = &members
		}
		list = append(list, s)
	}
	return list
}

// pairs is what the columns of the rows of members mean.
func (k *Kind) pairs() *columns.PairsConfig { return &columns.PairsConfig{Columns: k.Columns} }

// names lists by which fields objects of a kind are referred to.
func (c *Config) names(kind directory.Kind) []string {
	var names []string
	for _, s := range c.sources() {
		names = append(names, s.query.Names(s.kind)[kind]...)
		if s.members != nil {
			names = append(names, s.members.pairs().Names()[kind]...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// keyParts says how many columns keys have, where the configuration says it.
func (c *Config) keyParts() map[directory.Kind]int {
	parts := map[directory.Kind]int{}
	for _, s := range c.sources() {
		parts[s.kind] = max(1, len(s.query.Key))
	}
	return parts
}

// Validate reports everything that is wrong with the block, without I/O.
func (c *Config) Validate() []settings.Issue {
	var issues settings.Issues
	report := issues.Report
	if !c.Server.Validate(report) {
		return issues
	}
	if c.Timeout <= 0 {
		report("timeout", "10m is usual", "must be longer than nothing")
	}
	for _, word := range slices.Sorted(maps.Keys(c.Kinds)) {
		if !slices.Contains(words(), word) {
			report("kinds."+word, spelling.Suggest(word, words()), "unknown kind %q", word)
		}
	}
	sources := c.sources()
	if len(sources) == 0 {
		report("kinds", "write kinds: {person: {query: SELECT …}}", "must not be empty")
	}
	for _, s := range sources {
		c.validateQuery(s, report)
	}
	if _, ok := c.Kinds[wordMember]; ok {
		c.validateMembers(report)
	}
	return issues
}

func (c *Config) validateQuery(s source, report settings.Reporter) {
	at := "kinds." + s.word + "."
	validateStatement(at+"query", s.query.Query, report)
	if s.query.Count != "" {
		validateStatement(at+"count", s.query.Count, report)
	}
	if s.query.Absent != "" && s.query.Absent != absentKeep && s.query.Absent != absentGone {
		report(at+"absent", "keep: nobody is removed because the query lists them no longer; gone: they are", "unknown word %q", s.query.Absent)
	}
	s.query.Config.Validate(s.kind, at, report)
	ch := s.query.Changed
	if ch == nil {
		return
	}
	if ch.As != "" && !slices.Contains([]string{asTime, asSeconds, asMilliseconds}, ch.As) {
		report(at+"changed.as", "time, seconds or milliseconds", "unknown word %q", ch.As)
	}
	if s.members != nil {
		report(at+"changed", "remove it: groups are read in full, because their members are", "does not go together with kinds.member")
	}
	if c.Driver == database.SQLServer && !c.dialect().partOfAnother(s.query.Query) {
		report(at+"changed", "make a view of the query", "SQL Server takes neither WITH nor ORDER BY in a part of a query")
	}
}

func (c *Config) validateMembers(report settings.Reporter) {
	members, group := c.Kinds[wordMember], c.Kinds["group"]
	const at = "kinds.member."
	validateStatement(at+"query", members.Query, report)
	members.pairs().Validate(at, report)
	if _, ok := c.Kinds["group"]; !ok {
		report("kinds.member", "give kinds.group a query", "is given without group")
	}
	for _, field := range []string{"members", "member_groups"} {
		if len(group.Columns[field].Columns) > 0 {
			report("kinds.member", "keep one of the two", "is given beside kinds.group.columns.%s", field)
		}
	}
	for _, key := range []struct {
		name  string
		given bool
	}{
		{"count", members.Count != ""}, {"changed", members.Changed != nil}, {"absent", members.Absent != ""}, {"key", len(members.Key) > 0},
		{"attributes", members.Attributes.All || len(members.Attributes.Names) > 0}, {"separator", members.Separator != ""},
		{"dates", members.Dates != ""}, {"timezone", members.Timezone != ""},
	} {
		if key.given {
			report(at+key.name, "remove it", "means nothing for members")
		}
	}
}

func validateStatement(path, query string, report settings.Reporter) {
	if problem, hint := statementProblem(query); problem != "" {
		report(path, hint, "%s", problem)
	}
}

var (
	// beginsWith finds the first word, after comments.
	beginsWith = regexp.MustCompile(`^(?:\s+|--[^\n]*\n|/\*(?s:.*?)\*/)*([A-Za-z]+|\()`)
	// cutsShort finds what ends a list before its end.
	cutsShort = regexp.MustCompile(`(?i)\b(limit\s+\d|fetch\s+(first|next)\b|select\s+(distinct\s+)?top\b|rows\s+examined\b)`)
)

// statementProblem says why a text is not one query.
func statementProblem(query string) (problem, hint string) {
	m := beginsWith.FindStringSubmatch(query)
	switch {
	case strings.TrimSpace(query) == "":
		return "must not be empty", "write one SELECT"
	case m == nil || !slices.Contains([]string{"select", "with", "table", "values", "("}, strings.ToLower(m[1])):
		return "is not a query", "it begins with SELECT or WITH; nothing is ever written to the database"
	case strings.HasSuffix(strings.TrimSpace(query), ";"):
		return "ends with a semicolon", "write one query without a semicolon"
	}
	return "", ""
}

// Advise reports what is allowed and probably not meant.
func (c *Config) Advise() []settings.Issue {
	var issues settings.Issues
	for _, s := range c.sources() {
		if found := cutsShort.FindString(s.query.Query); found != "" && s.query.Absent == absentGone {
			issues.Report("kinds."+s.word+".query", "whom the query leaves out counts as gone; read all of them, or write absent: keep",
				"ends the list early (%s)", strings.Join(strings.Fields(found), " "))
		}
	}
	c.Server.Advise(issues.Report)
	return issues
}

// removes reports whether anybody is taken for gone who is not listed.
func (c *Config) removes() bool {
	return slices.ContainsFunc(c.sources(), func(s source) bool { return s.query.Absent == absentGone })
}

// InForce returns the block with its defaults, those of its kinds among them.
func (c *Config) InForce() (block any, remark string) {
	full := *c
	if c.Driver != database.SQLite {
		full.Port = c.PortInForce()
	}
	full.Kinds = maps.Clone(c.Kinds)
	for word, k := range full.Kinds {
		if word != wordMember && k.Absent == "" {
			k.Absent = absentKeep
		}
		if k.Changed != nil {
			ch := *k.Changed
			ch.Overlap, ch.As = ch.overlap(), cmp.Or(ch.As, asTime)
			k.Changed = &ch
		}
		full.Kinds[word] = k
	}
	return &full, ""
}

// overlap is the one in force.
func (ch *Changed) overlap() settings.Duration { return cmp.Or(ch.Overlap, usualOverlap) }
