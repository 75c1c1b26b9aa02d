package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"

	"dirsyncd/sync/directory"
	"dirsyncd/sync/mapping"
	"dirsyncd/sync/settings"
)

// Print renders the configuration in force as YAML: defaults filled in, aliases resolved, secrets replaced by
// three stars.
func (c *Config) Print() ([]byte, error) {
	var p printer
	root := p.config(c)
	if p.err != nil {
		return nil, fmt.Errorf("print configuration: %w", p.err)
	}
	out, err := yaml.Dump(root, yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("print configuration: %w", err)
	}
	return out, nil
}

// MarshalJSON renders what Print renders, as JSON.
func (c *Config) MarshalJSON() ([]byte, error) {
	text, err := c.Print()
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := yaml.Load(text, &tree); err != nil {
		return nil, fmt.Errorf("print configuration: %w", err)
	}
	return json.Marshal(tree)
}

// String returns what Print returns.
func (c *Config) String() string {
	text, err := c.Print()
	if err != nil {
		return c.File
	}
	return string(text)
}

// printer builds the printed tree. The first error sticks.
type printer struct{ err error }

// pair is a key and its value; a nil value leaves the key out.
type pair struct {
	key   string
	value any
}

func (p *printer) block(pairs ...pair) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, pair := range pairs {
		if pair.value == nil {
			continue
		}
		n.Content = append(n.Content, p.node(pair.key), p.node(pair.value))
	}
	return n
}

func (p *printer) node(v any) *yaml.Node {
	if n, ok := v.(*yaml.Node); ok {
		return n
	}
	n := new(yaml.Node)
	if err := n.Encode(v); err != nil && p.err == nil {
		p.err = err
	}
	return n
}

func (p *printer) config(c *Config) *yaml.Node {
	var connections, mappings, targets []pair
	for i := range c.Connections {
		if c.Connections[i].Connector == SignIn {
			continue // nobody writes it
		}
		connections = append(connections, pair{c.Connections[i].Name, p.connection(&c.Connections[i])})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Mappings)) {
		mappings = append(mappings, pair{name, p.mapping(c.Mappings[name])})
	}
	for i := range c.Targets {
		targets = append(targets, pair{c.Targets[i].Name, p.target(&c.Targets[i])})
	}
	return p.block(
		pair{"state", p.state(c)}, pair{"control", c.Control}, pair{"readers", p.readers(c.Readers)}, pair{"listen", c.Listen}, pair{"web", p.web(c.Web)}, pair{"signin", p.signin(c.Signin)}, pair{"console", p.console(c.Console)}, pair{"log", c.Log}, pair{"guard", p.wholeGuard(c.Guard)}, pair{"notices", p.notices(c.Notices)}, pair{"history", p.history(c.History)}, pair{"parallel", notZero(c.Parallel)},
		pair{tablesKey, p.tables(c.Tables)}, pair{connectionsKey, p.block(connections...)}, pair{mappingsKey, p.block(mappings...)},
		pair{targetsKey, p.block(targets...)},
	)
}

func (p *printer) readers(r *Readers) any {
	if r == nil {
		return nil
	}
	return p.block(pair{"socket", r.Socket}, pair{"group", r.Group})
}

func (p *printer) state(c *Config) any {
	d := c.Database
	if d == nil {
		return c.State
	}
	var password any
	if !d.Password.IsZero() {
		password = d.Password
	}
	return p.block(pair{"url", d.URL}, pair{"password", password}, pair{"schema", d.Schema}, pair{"connections", notZero(d.Connections)}, pair{"worker", d.Worker})
}

func (p *printer) web(w *Web) any {
	if w == nil {
		return nil
	}
	var tls any
	if w.Cert != "" {
		tls = p.block(pair{"cert", w.Cert}, pair{"key", w.Key})
	}
	var proxies any
	if len(w.Proxies) > 0 {
		proxies = w.Proxies
	}
	return p.block(pair{"url", w.URL.String()}, pair{"listen", w.Listen}, pair{"tls", tls}, pair{"proxies", proxies})
}

func (p *printer) console(c *Console) any {
	if c == nil {
		return nil
	}
	var users []pair
	for _, u := range c.Users {
		users = append(users, pair{u.Name, p.block(pair{"role", u.Role}, pair{"token", u.Token})})
	}
	var tokens, signin any
	if len(users) > 0 {
		tokens = p.block(users...)
	}
	if s := c.Signin; s != nil {
		who := []pair{{"providers", s.Providers}}
		for _, role := range []pair{{"operators", s.Operators}, {"readers", s.Readers}} {
			if values := role.value.(map[string][]string); len(values) > 0 {
				who = append(who, role)
			}
		}
		signin = p.block(who...)
	}
	return p.block(pair{"users", tokens}, pair{"signin", signin})
}

func (p *printer) connection(c *Connection) *yaml.Node {
	var every []pair
	var inFull []string
	for _, kind := range directory.Kinds() {
		if span, written := c.Every[kind]; written {
			every = append(every, pair{kind.String(), settings.Duration(span)})
		}
		if slices.Contains(c.RemoveInFull, kind) {
			inFull = append(inFull, kind.String())
		}
	}
	return p.block(
		pair{"connector", c.Connector}, pair{"schedule", notEmpty(c.Schedule)}, pair{"full", notEmpty(c.Full)},
		pair{"timezone", c.Timezone.String()}, pair{"jitter", c.Jitter}, pair{"mapping", notEmpty(c.Mapping)},
		pair{"targets", c.Targets}, p.imports(c.Import), p.section("every", every), pair{"remove_in_full", notNone(inFull)}, pair{workersKey, notNone(c.Workers)}, p.tenants(c.Tenants), pair{c.Connector, p.own(c.Block)},
	)
}

const importKey = "import"

func (p *printer) imports(mode directory.Import) pair {
	if mode == "" {
		return pair{importKey, nil}
	}
	return pair{importKey, p.block(pair{"mode", string(mode)})}
}

// own renders the block of a connector or target without the keys that are empty.
func (p *printer) own(block any) *yaml.Node {
	remark := ""
	if b, ok := block.(inForce); ok {
		block, remark = b.InForce()
	}
	n := p.node(block)
	prune(n)
	if last := len(n.Content) - 1; remark != "" && last > 0 {
		n.Content[last-1].HeadComment = remark
	}
	return n
}

// inForce is a block some of whose defaults depend on what it says: InForce returns it with them, and a remark about those
// that only the source can tell.
type inForce interface {
	InForce() (block any, remark string)
}

func prune(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		return
	}
	kept := n.Content[:0]
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		prune(value)
		if value.Kind == yaml.ScalarNode && value.Value != "" && value.ShortTag() != "!!null" || len(value.Content) > 0 {
			kept = append(kept, key, value)
		}
	}
	n.Content = kept
}

func notZero(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

func notEmpty(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (p *printer) mapping(m *Mapping) *yaml.Node {
	var fields []pair
	for _, kind := range directory.RecordKinds() {
		if list := m.Spec.Fields[kind]; len(list) > 0 {
			fields = append(fields, pair{kind.String(), p.fields(list)})
		}
	}
	seats := pair{"seats", nil}
	if len(m.Spec.Seats) > 0 {
		seats.value = p.seats(m.Spec.Seats)
	}
	return p.block(
		pair{"choices", p.choices(m.Spec.Choices)}, pair{"rules", p.rules(m.Spec.Rules)}, pair{"groups", p.rules(m.Spec.Groups)},
		pair{"licences", p.rules(m.Spec.Licences)}, pair{"devices", p.rules(m.Spec.Devices)}, pair{"customers", p.rules(m.Spec.Customers)},
		pair{"sites", p.rules(m.Spec.Sites)},
		pair{"fields", p.block(fields...)}, pair{"guard", p.guard(&m.Guard)},
		pair{"leavers", p.leavers(&m.Spec)}, pair{"keep", p.keep(m.Spec.Keep)}, seats,
		pair{"tickets", p.tickets(m.Spec.Tickets)},
	)
}

func (p *printer) guard(g *Guard) *yaml.Node {
	guard := p.limits(g.Tenant)
	guard = append(append(guard, p.memberships(g.Memberships), p.fieldLimits(g.Fields)), p.overs(g.Over)...)
	if all := append(p.limits(g.Connection), p.overs(g.ConnectionOver)...); len(all) > 0 {
		guard = append(guard, pair{connectionKey, p.block(all...)})
	}
	return p.block(guard...)
}

// tables renders the tables: those of files by their file.
func (p *printer) tables(all map[string]*Table) any {
	if len(all) == 0 {
		return nil
	}
	var list []pair
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t := all[name]
		word := any(nil)
		if t.Spec.Exact {
			word = string(exactCase)
		}
		rows := pair{"rows", nil}
		if t.File == "" {
			rows.value = p.rows(t)
		}
		list = append(list, pair{name, p.block(pair{"file", notEmpty(t.File)}, pair{"key", notEmpty(t.Key)}, pair{"case", word}, rows)})
	}
	return p.block(list...)
}

func (p *printer) rows(t *Table) *yaml.Node {
	var rows []pair
	for _, r := range t.Spec.Rows {
		if t.Spec.Columns[0] == "" {
			rows = append(rows, pair{r.Key, r.Cells[0]})
			continue
		}
		var cells []pair
		for i, name := range t.Spec.Columns {
			cells = append(cells, pair{name, notEmpty(r.Cells[i])})
		}
		rows = append(rows, pair{r.Key, p.block(cells...)})
	}
	return p.block(rows...)
}

func (p *printer) choices(specs []mapping.ChoiceSpec) any {
	if len(specs) == 0 {
		return nil
	}
	var all []pair
	for _, c := range specs {
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, l := range c.Lines {
			list.Content = append(list.Content, p.block(pair{"when", notEmpty(l.When.Text)}, pair{"is", l.Is.Value}))
		}
		all = append(all, pair{c.Name, list})
	}
	return p.block(all...)
}

func (p *printer) rules(specs []mapping.RuleSpec) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for _, r := range specs {
		pairs := []pair{{"name", r.Name}, {"when", notEmpty(r.When.Text)}}
		if r.Ignore {
			pairs = append(pairs, pair{"ignore", true})
		}
		if r.NewOnly {
			pairs = append(pairs, pair{"new_only", true})
		}
		if r.UpdateOnly {
			pairs = append(pairs, pair{"update_only", true})
		}
		if len(r.Always) > 0 {
			pairs = append(pairs, pair{"always", r.Always})
		}
		for _, kind := range directory.RecordKinds() {
			if fields, ok := r.Records[kind]; ok {
				pairs = append(pairs, pair{kind.String(), p.fields(fields)})
			}
		}
		list.Content = append(list.Content, p.block(pairs...))
	}
	return list
}

func (p *printer) fields(list []mapping.FieldSpec) *yaml.Node {
	var pairs []pair
	for _, f := range list {
		value := f.Value.Value
		if f.On != mapping.OnAlways || f.Blank != mapping.KeepBlank {
			value = p.block(pair{"value", value}, pair{"on", string(f.On)}, pair{"blank", string(f.Blank)})
		}
		pairs = append(pairs, pair{f.Name, value})
	}
	return p.block(pairs...)
}

func (p *printer) limits(all Limits) (list []pair) {
	for _, op := range directory.Ops() {
		if l, ok := all[op]; ok {
			list = append(list, pair{op.String(), p.block(given("count", l.Count), given("percent", l.Percent), given("minimum", l.Minimum), given("few", l.Few))})
		}
	}
	return list
}

// given is a key that is left out where nothing was written.
func given[T any](key string, value *T) pair {
	if value == nil {
		return pair{key, nil}
	}
	return pair{key, *value}
}
