package encoding

import (
	"encoding/binary"
	"maps"
	"slices"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
)

const linkForm = 1 // the first byte of a link

// linkActive is a flag of a link, beside its state (the lowest three bits) and its owner (the next two).
const linkActive = 1 << 5

// Flags of a field of a link.
const (
	fieldSent = 1 << iota
	fieldSaw
	fieldSame // Saw is as Sent, and not written again
)

// AppendLink appends the canonical form of a link. Its lists are sorted.
func AppendLink(buf []byte, l *store.Link) []byte {
	flags := byte(l.State) | byte(l.Owner)<<3
	if l.Active {
		flags |= linkActive
	}
	buf = append(slices.Grow(buf, 512), linkForm, byte(l.Kind), flags)
	for _, s := range []string{l.Subject, l.ID, l.Mark, l.Parent, l.Revision, l.LastKey, l.Contributor.Connection, l.Contributor.Tenant, l.Why} {
		buf = appendText(buf, s)
	}
	buf = appendSeconds(appendSeconds(buf, l.Since), l.Changed)
	names := slices.Collect(maps.Keys(l.Sent))
	for name := range l.Saw {
		if _, both := l.Sent[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	buf = binary.AppendUvarint(buf, uint64(len(names)))
	for _, name := range names {
		buf = appendText(buf, name)
		sent, isSent := l.Sent[name]
		saw, isSaw := l.Saw[name]
		switch {
		case isSent && isSaw && sent == saw:
			buf = append(append(buf, fieldSent|fieldSaw|fieldSame), sent[:]...)
		case isSent && isSaw:
			buf = append(append(append(buf, fieldSent|fieldSaw), sent[:]...), saw[:]...)
		case isSent:
			buf = append(append(buf, fieldSent), sent[:]...)
		default:
			buf = append(append(buf, fieldSaw), saw[:]...)
		}
	}
	return appendTexts(appendTexts(buf, l.Once), l.Members)
}

// ParseLink reads what AppendLink wrote; ok is false for what it did not write. The link does not refer to data.
func ParseLink(data []byte) (l store.Link, ok bool) {
	f := form{rest: data}
	if f.byte() != linkForm {
		f.fail()
	}
	l.Kind = directory.RecordKind(f.byte())
	flags := f.byte()
	l.State, l.Owner, l.Active = store.LinkState(flags&7), store.LinkOwner(flags>>3&3), flags&linkActive != 0
	for _, s := range []*string{&l.Subject, &l.ID, &l.Mark, &l.Parent, &l.Revision, &l.LastKey, &l.Contributor.Connection, &l.Contributor.Tenant, &l.Why} {
		*s = f.text()
	}
	l.Since, l.Changed = f.seconds(), f.seconds()
	f.fields(&l)
	l.Once, l.Members = f.texts(), f.texts()
	if !f.ok() || !l.State.Known() || !l.Owner.Known() || flags > 2*linkActive-1 || l.Subject == "" {
		return store.Link{}, false
	}
	return l, true
}

func (f *form) fields(l *store.Link) {
	n := f.uvarint()
	if n > uint64(len(f.rest)) {
		f.fail()
		return
	}
	for range n {
		name, flags := f.text(), f.byte()
		var sent, saw store.Digest
		if flags&fieldSent != 0 {
			copy(sent[:], f.bytes(uint64(len(sent))))
			if l.Sent == nil {
				l.Sent = make(map[string]store.Digest, n)
			}
			l.Sent[name] = sent
		}
		if flags&fieldSaw == 0 {
			continue
		}
		if saw = sent; flags&fieldSame == 0 {
			copy(saw[:], f.bytes(uint64(len(saw))))
		}
		if l.Saw == nil {
			l.Saw = make(map[string]store.Digest, n)
		}
		l.Saw[name] = saw
	}
}
