package ldap

import (
	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/directory/dn"
)

// Limits of a batch. They bound memory for entries of any size, whatever page size the server takes.
const (
	batchEntries = 1000
	batchBytes   = 1 << 20
)

// batch is a page in the making. Its memory is used again for a later page.
type batch struct {
	page    connectors.Page
	entries int
	bytes   int

	fields  []directory.Field
	links   []directory.Link
	strings []string
	types   []directory.LinkType
	names   names
}

func (b *batch) reset() {
	b.page = connectors.Page{
		Objects: b.page.Objects[:0], Members: b.page.Members[:0], Invalid: b.page.Invalid[:0],
		Digests: b.page.Digests[:0], Same: b.page.Same[:0],
	}
	b.entries, b.bytes = 0, 0
	b.fields, b.links, b.strings = b.fields[:0], b.links[:0], b.strings[:0]
}

func (b *batch) full() bool { return b.entries >= batchEntries || b.bytes >= batchBytes }

// names collects handles in one buffer, so that all of an object's or a group's share one allocation.
type names struct {
	buf  []byte
	ends []int
}

func (n *names) reset() { n.buf, n.ends = n.buf[:0], n.ends[:0] }

func (n *names) count() int { return len(n.ends) }

func (n *names) end() { n.ends = append(n.ends, len(n.buf)) }

func (n *names) add(prefix, s string) {
	n.buf = append(append(n.buf, prefix...), s...)
	n.end()
}

// addName adds a name that is compared as values within a DN are.
func (n *names) addName(form dn.Form, prefix, s string) {
	if form.Compatible != nil {
		s = form.Compatible(s)
	}
	n.buf = dn.AppendFolded(append(n.buf, prefix...), s)
	n.end()
}

func (n *names) addDN(form dn.Form, dn string) {
	n.buf = form.Append(append(n.buf, "dn:"...), dn)
	n.end()
}

// take returns the collected names. The slice is the batch's, the texts are not.
func (n *names) take(b *batch) []string {
	all, first, start := string(n.buf), len(b.strings), 0
	for _, end := range n.ends {
		b.strings = append(b.strings, all[start:end])
		start = end
	}
	n.reset()
	return b.strings[first:len(b.strings):len(b.strings)]
}
