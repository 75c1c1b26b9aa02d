package memory

import (
	"context"
	"fmt"
	"strconv"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// pageGenerator makes the pages of one read of a synthetic source. All texts of a page share one allocation.
type pageGenerator struct {
	synthetic  *Synthetic
	cfg        *SyntheticConfig
	generation int
	stream     string
	total      int
	emit       func(*connectors.Page) error
	attributes []string // field names

	page    connectors.Page
	objects []directory.Object
	fields  []directory.Field
	texts   []string
	span    []int
	numbers []int

	buf   []byte
	marks []int // ends of the texts in buf
}

func (p *pageGenerator) full(ctx context.Context, next int) error {
	for {
		end := min(p.total, next+p.pageSize())
		p.span = p.span[:0]
		for ; next < end; next++ {
			p.span = append(p.span, next)
		}
		p.fill(p.span)
		if next == p.total {
			return p.finish(ctx, p.total)
		}
		p.page.Cursor, p.page.Resumable = p.synthetic.cursor(p.stream, true, p.generation, next), true
		if err := p.send(ctx); err != nil {
			return err
		}
	}
}

// pageMembers bounds how many memberships a page of groups holds.
const pageMembers = 100_000

func (p *pageGenerator) pageSize() int {
	if p.stream != "groups" || p.total == 0 {
		return p.cfg.PageSize
	}
	each := max(1, p.cfg.Memberships()/p.total)
	return max(1, min(p.cfg.PageSize, pageMembers/each))
}

// delta sends the people that changed after a generation. Groups never change.
func (p *pageGenerator) delta(ctx context.Context, from int) error {
	changed := p.changed(from)
	for len(changed) > p.cfg.PageSize {
		p.fill(changed[:p.cfg.PageSize])
		changed = changed[p.cfg.PageSize:]
		if err := p.send(ctx); err != nil {
			return err
		}
	}
	p.fill(changed)
	return p.finish(ctx, -1)
}

func (p *pageGenerator) changed(from int) []int {
	var list []int
	period := p.cfg.period()
	if p.stream != "users" || period == 0 {
		return nil
	}
	for g := p.generation - min(p.generation-from, period) + 1; g <= p.generation; g++ {
		for i := g % period; i < p.total; i += period {
			list = append(list, i)
		}
	}
	return list
}

// fill makes a page of the objects with these numbers.
func (p *pageGenerator) fill(numbers []int) {
	p.page = connectors.Page{Members: p.page.Members[:0]}
	p.objects, p.fields = p.objects[:0], p.fields[:0]
	p.buf, p.marks = p.buf[:0], p.marks[:0]
	for _, i := range numbers {
		p.write(i)
	}
	p.cut()
	for _, i := range numbers {
		p.object(i)
	}
	p.page.Objects = p.objects
}

func (p *pageGenerator) finish(ctx context.Context, count int) error {
	p.page.Cursor, p.page.Resumable = p.synthetic.cursor(p.stream, false, p.generation, 0), false
	p.page.Proof = &connectors.Proof{Scope: p.synthetic.fingerprint(p.stream, true), Count: count}
	return p.send(ctx)
}

func (p *pageGenerator) send(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.emit(&p.page)
}

// end closes the text that was appended to buf.
func (p *pageGenerator) end() { p.marks = append(p.marks, len(p.buf)) }

func (p *pageGenerator) text(s string) { p.buf = append(p.buf, s...); p.end() }

func (p *pageGenerator) numbered(prefix string, i int, suffix string) {
	p.buf = strconv.AppendInt(append(p.buf, prefix...), int64(i), 10)
	p.text(suffix)
}

// personTexts is how many texts writePerson writes, besides the attributes.
const personTexts = 9

// write writes the texts of an object into buf; object puts them in their places, in the same order.
func (p *pageGenerator) write(i int) {
	if p.stream == "groups" {
		p.writeGroup(i)
		return
	}
	given, family, unit, office := i%len(givenNames), i/7%len(familyNames), (i+p.cfg.Seed)%len(units), i%len(offices)
	p.buf = p.cfg.appendID(p.buf, 'a', i)
	p.end()
	p.numbered("uid:p", i, "")
	p.text(units[unit])
	p.numbered("p", i, "@example.test")
	p.numbered("E", 100000+i, "")
	p.text(familyNames[family])
	p.text(givenNames[given])
	p.buf = append(append(append(p.buf, givenNames[given]...), ' '), familyNames[family]...)
	p.numbered(" ", i, "")
	p.numbered("Specialist ", p.cfg.lastChange(i, p.generation), " in "+offices[office])
	for a := range p.cfg.Attributes {
		p.numbered("value ", i+a, "")
	}
}

func (p *pageGenerator) writeGroup(g int) {
	p.buf = p.cfg.appendID(p.buf, 'b', g)
	p.end()
	p.numbered("Group ", g, "")
	p.numbers = p.cfg.memberNumbers(p.numbers[:0], g)
	for _, i := range p.numbers {
		p.buf = append(p.buf, "id:"...)
		p.buf = p.cfg.appendID(p.buf, 'a', i)
		p.end()
	}
	for _, c := range p.children(g) {
		p.buf = append(p.buf, "id:"...)
		p.buf = p.cfg.appendID(p.buf, 'b', c)
		p.end()
	}
}

// children lists the groups that a group contains.
func (p *pageGenerator) children(g int) []int {
	var list []int
	for c := g*p.cfg.Fanout + 1; c <= (g+1)*p.cfg.Fanout && c < p.cfg.Groups; c++ {
		list = append(list, c)
	}
	return list
}

// cut turns buf into texts.
func (p *pageGenerator) cut() {
	all, start := string(p.buf), 0
	p.texts = p.texts[:0]
	for _, end := range p.marks {
		p.texts = append(p.texts, all[start:end])
		start = end
	}
}

func (p *pageGenerator) object(i int) {
	if p.stream == "groups" {
		p.group(i)
		return
	}
	t := p.texts
	first := len(p.fields)
	for a, name := range p.attributes {
		p.field(name, t[personTexts+a])
	}
	p.field(directory.FieldDepartment, t[2])
	p.field(directory.FieldEmail, t[3])
	p.field(directory.FieldEmployeeID, t[4])
	p.fields = append(p.fields, directory.Field{Name: directory.FieldEnabled, Value: directory.Bool(true)})
	p.field(directory.FieldFamilyName, t[5])
	p.field(directory.FieldGivenName, t[6])
	p.field(directory.FieldName, t[7])
	p.field(directory.FieldTitle, t[8])
	p.objects = append(p.objects, directory.Object{
		Kind: directory.Person, ID: t[0], Handles: t[1:2:2], Fields: p.fields[first:len(p.fields):len(p.fields)],
	})
	p.texts = t[personTexts+p.cfg.Attributes:]
}

func (p *pageGenerator) field(name, text string) {
	p.fields = append(p.fields, directory.Field{Name: name, Value: directory.Text(text)})
}

// attributeNames spells the names of the attributes so that their order is that of their numbers.
func attributeNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%sa%04d", directory.AttributePrefix, i)
	}
	return names
}

func (p *pageGenerator) group(g int) {
	p.numbers = p.cfg.memberNumbers(p.numbers[:0], g)
	n := len(p.numbers) + len(p.children(g))
	first := len(p.fields)
	p.field(directory.FieldName, p.texts[1])
	p.objects = append(p.objects, directory.Object{
		Kind: directory.Group, ID: p.texts[0], Fields: p.fields[first:len(p.fields):len(p.fields)],
	})
	p.page.Members = append(p.page.Members, connectors.Members{Group: p.texts[0], Add: p.texts[2 : 2+n : 2+n], Whole: true})
	p.texts = p.texts[2+n:]
}

var (
	givenNames  = [...]string{"Ada", "Björn", "Chloé", "Dmitri", "Elif", "Femi", "Grace", "Hiro", "Ines", "Jamal", "Kim"}
	familyNames = [...]string{"Ames", "Brandt", "Costa", "Dupont", "Eriksen", "Fischer", "García", "Hughes", "Ito", "Jansen"}
	units       = [...]string{"Sales", "Finance", "Service Desk", "Engineering", "Legal", "Marketing", "Operations"}
	offices     = [...]string{"London", "Leeds", "Porto", "Wien"}
)
