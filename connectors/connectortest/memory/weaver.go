package memory

import (
	"context"
	"fmt"
	"strconv"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
)

// weaver makes the pages of one read of a synthetic source. All texts of a page share one allocation.
type weaver struct {
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

func (w *weaver) full(ctx context.Context, next int) error {
	for {
		end := min(w.total, next+w.pageSize())
		w.span = w.span[:0]
		for ; next < end; next++ {
			w.span = append(w.span, next)
		}
		w.fill(w.span)
		if next == w.total {
			return w.finish(ctx, w.total)
		}
		w.page.Cursor, w.page.Resumable = w.synthetic.cursor(w.stream, true, w.generation, next), true
		if err := w.send(ctx); err != nil {
			return err
		}
	}
}

// pageMembers bounds how many memberships a page of groups holds.
const pageMembers = 100_000

func (w *weaver) pageSize() int {
	if w.stream != "groups" || w.total == 0 {
		return w.cfg.PageSize
	}
	each := max(1, w.cfg.Memberships()/w.total)
	return max(1, min(w.cfg.PageSize, pageMembers/each))
}

// delta sends the people that changed after a generation. Groups never change.
func (w *weaver) delta(ctx context.Context, from int) error {
	changed := w.changed(from)
	for len(changed) > w.cfg.PageSize {
		w.fill(changed[:w.cfg.PageSize])
		changed = changed[w.cfg.PageSize:]
		if err := w.send(ctx); err != nil {
			return err
		}
	}
	w.fill(changed)
	return w.finish(ctx, -1)
}

func (w *weaver) changed(from int) []int {
	var list []int
	period := w.cfg.period()
	if w.stream != "users" || period == 0 {
		return nil
	}
	for g := w.generation - min(w.generation-from, period) + 1; g <= w.generation; g++ {
		for i := g % period; i < w.total; i += period {
			list = append(list, i)
		}
	}
	return list
}

// fill makes a page of the objects with these numbers.
func (w *weaver) fill(numbers []int) {
	w.page = connectors.Page{Members: w.page.Members[:0]}
	w.objects, w.fields = w.objects[:0], w.fields[:0]
	w.buf, w.marks = w.buf[:0], w.marks[:0]
	for _, i := range numbers {
		w.write(i)
	}
	w.cut()
	for _, i := range numbers {
		w.object(i)
	}
	w.page.Objects = w.objects
}

func (w *weaver) finish(ctx context.Context, count int) error {
	w.page.Cursor, w.page.Resumable = w.synthetic.cursor(w.stream, false, w.generation, 0), false
	w.page.Proof = &connectors.Proof{Scope: w.synthetic.fingerprint(w.stream, true), Count: count}
	return w.send(ctx)
}

func (w *weaver) send(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.emit(&w.page)
}

// end closes the text that was appended to buf.
func (w *weaver) end() { w.marks = append(w.marks, len(w.buf)) }

func (w *weaver) text(s string) { w.buf = append(w.buf, s...); w.end() }

func (w *weaver) numbered(prefix string, i int, suffix string) {
	w.buf = strconv.AppendInt(append(w.buf, prefix...), int64(i), 10)
	w.text(suffix)
}

// personTexts is how many texts writePerson writes, besides the attributes.
const personTexts = 9

// write writes the texts of an object into buf; object puts them in their places, in the same order.
func (w *weaver) write(i int) {
	if w.stream == "groups" {
		w.writeGroup(i)
		return
	}
	given, family, unit, office := i%len(givenNames), i/7%len(familyNames), (i+w.cfg.Seed)%len(units), i%len(offices)
	w.buf = w.cfg.appendID(w.buf, 'a', i)
	w.end()
	w.numbered("uid:p", i, "")
	w.text(units[unit])
	w.numbered("p", i, "@example.test")
	w.numbered("E", 100000+i, "")
	w.text(familyNames[family])
	w.text(givenNames[given])
	w.buf = append(append(append(w.buf, givenNames[given]...), ' '), familyNames[family]...)
	w.numbered(" ", i, "")
	w.numbered("Specialist ", w.cfg.lastChange(i, w.generation), " in "+offices[office])
	for a := range w.cfg.Attributes {
		w.numbered("value ", i+a, "")
	}
}

func (w *weaver) writeGroup(g int) {
	w.buf = w.cfg.appendID(w.buf, 'b', g)
	w.end()
	w.numbered("Group ", g, "")
	w.numbers = w.cfg.memberNumbers(w.numbers[:0], g)
	for _, i := range w.numbers {
		w.buf = append(w.buf, "id:"...)
		w.buf = w.cfg.appendID(w.buf, 'a', i)
		w.end()
	}
	for _, c := range w.children(g) {
		w.buf = append(w.buf, "id:"...)
		w.buf = w.cfg.appendID(w.buf, 'b', c)
		w.end()
	}
}

// children lists the groups that a group contains.
func (w *weaver) children(g int) []int {
	var list []int
	for c := g*w.cfg.Fanout + 1; c <= (g+1)*w.cfg.Fanout && c < w.cfg.Groups; c++ {
		list = append(list, c)
	}
	return list
}

// cut turns buf into texts.
func (w *weaver) cut() {
	all, start := string(w.buf), 0
	w.texts = w.texts[:0]
	for _, end := range w.marks {
		w.texts = append(w.texts, all[start:end])
		start = end
	}
}

func (w *weaver) object(i int) {
	if w.stream == "groups" {
		w.group(i)
		return
	}
	t := w.texts
	first := len(w.fields)
	for a, name := range w.attributes {
		w.field(name, t[personTexts+a])
	}
	w.field(directory.FieldDepartment, t[2])
	w.field(directory.FieldEmail, t[3])
	w.field(directory.FieldEmployeeID, t[4])
	w.fields = append(w.fields, directory.Field{Name: directory.FieldEnabled, Value: directory.Bool(true)})
	w.field(directory.FieldFamilyName, t[5])
	w.field(directory.FieldGivenName, t[6])
	w.field(directory.FieldName, t[7])
	w.field(directory.FieldTitle, t[8])
	w.objects = append(w.objects, directory.Object{
		Kind: directory.Person, ID: t[0], Handles: t[1:2:2], Fields: w.fields[first:len(w.fields):len(w.fields)],
	})
	w.texts = t[personTexts+w.cfg.Attributes:]
}

func (w *weaver) field(name, text string) {
	w.fields = append(w.fields, directory.Field{Name: name, Value: directory.Text(text)})
}

// attributeNames spells the names of the attributes so that their order is that of their numbers.
func attributeNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%sa%04d", directory.AttributePrefix, i)
	}
	return names
}

func (w *weaver) group(g int) {
	w.numbers = w.cfg.memberNumbers(w.numbers[:0], g)
	n := len(w.numbers) + len(w.children(g))
	first := len(w.fields)
	w.field(directory.FieldName, w.texts[1])
	w.objects = append(w.objects, directory.Object{
		Kind: directory.Group, ID: w.texts[0], Fields: w.fields[first:len(w.fields):len(w.fields)],
	})
	w.page.Members = append(w.page.Members, connectors.Members{Group: w.texts[0], Add: w.texts[2 : 2+n : 2+n], Whole: true})
	w.texts = w.texts[2+n:]
}

var (
	givenNames  = [...]string{"Ada", "Björn", "Chloé", "Dmitri", "Elif", "Femi", "Grace", "Hiro", "Ines", "Jamal", "Kim"}
	familyNames = [...]string{"Ames", "Brandt", "Costa", "Dupont", "Eriksen", "Fischer", "García", "Hughes", "Ito", "Jansen"}
	units       = [...]string{"Sales", "Finance", "Service Desk", "Engineering", "Legal", "Marketing", "Operations"}
	offices     = [...]string{"London", "Leeds", "Porto", "Wien"}
)
