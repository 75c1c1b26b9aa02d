package ldap

import (
	"encoding/binary"
	"slices"
	"strings"

	"dirsyncd/connectors/ldap/internal/wire"
)

// Attributes by the numbers that replication gives them: their object identifiers, 1.2.840.113556.1.4.1 and
// 1.2.840.113556.1.2.48, by the default prefix table (MS-DRSR 5.16.4).
const (
	attributeName      = 0x00090001
	attributeIsDeleted = 0x00020030
)

// scannedEntry is what a scan wants to know of an entry.
type scannedEntry struct {
	guid, changed, created string
	deleted, deletedOnce   bool
	// leaf: nothing that could be of interest is below an entry of this class.
	leaf     bool
	metadata string
}

func (s *scannedEntry) load(e *wire.Entry) {
	*s = scannedEntry{}
	for i := range e.Attributes {
		a := &e.Attributes[i]
		if len(a.Values) == 0 {
			continue
		}
		switch v := a.Values[0]; strings.ToLower(a.Name) {
		case "objectguid":
			s.guid = v
		case "usnchanged":
			s.changed = v
		case "usncreated":
			s.created = v
		case "isdeleted":
			s.deleted = strings.EqualFold(v, "TRUE")
		case "lastknownparent":
			s.deletedOnce = true
		case "replpropertymetadata":
			s.metadata = v
		case "objectclass":
			s.leaf = slices.ContainsFunc(a.Values, isLeafClass)
		}
	}
}

// isLeafClass reports whether nothing of interest is below entries of a class.
func isLeafClass(class string) bool {
	switch strings.ToLower(class) {
	case "user", "group", "contact": // a computer is a user, too
		return true
	}
	return false
}

// movedSince reports whether the entry got its name or place by the change with the number since or a later one,
// also when that cannot be known.
func (s *scannedEntry) movedSince(since uint64) bool {
	number, known := writtenBy(s.metadata, attributeName)
	return !known || number >= since
}

// returnedSince reports whether the entry, which is there, was deleted and brought back by the change with the number
// since or a later one. Where that cannot be known, it is assumed of every entry that still says where it was
// when it was deleted.
func (s *scannedEntry) returnedSince(since uint64) bool {
	number, known := writtenBy(s.metadata, attributeIsDeleted)
	if !known {
		return s.deletedOnce
	}
	return number >= since
}

// writtenBy finds the number of the change by which this domain controller last wrote an attribute, in the value of
// replPropertyMetaData: version 1, a reserved number, a count, a reserved number; and for every attribute its
// number and version (4 bytes each), the time, the database (16) and the number (8 each) of the change at its
// origin, and the number here. ok is false when the metadata is not readable. An attribute that is not among
// them was never written: number 0.
func writtenBy(metadata string, attribute uint32) (number uint64, ok bool) {
	const head, size = 16, 48
	b := []byte(metadata)
	if len(b) < head || binary.LittleEndian.Uint32(b) != 1 {
		return 0, false
	}
	count := binary.LittleEndian.Uint32(b[8:])
	b = b[head:]
	if uint64(len(b)) < uint64(count)*size {
		return 0, false
	}
	for range count {
		if binary.LittleEndian.Uint32(b) == attribute {
			return binary.LittleEndian.Uint64(b[40:]), true
		}
		b = b[size:]
	}
	return 0, true
}
