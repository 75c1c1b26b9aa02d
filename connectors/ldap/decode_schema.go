package ldap

import (
	"crypto/sha256"
	"slices"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"
)

// schema is what a server says of its attributes: their names, how values compare and what they are. The zero value
// knows nothing.
type schema struct {
	types map[string]*attributeType // by every name in small letters, and by object identifier
	hash  [sha256.Size]byte         // of the descriptions
}

// attributeType is the description of one attribute (RFC 4512 section 4.1.2). What it inherits is in sup.
type attributeType struct {
	oid              string
	names            []string
	sup              string
	equality, syntax string
}

// Syntaxes of RFC 4517 by which values are told apart.
const (
	syntaxOctetString = "1.3.6.1.4.1.1466.115.121.1.40"
	syntaxDN          = "1.3.6.1.4.1.1466.115.121.1.12"
	syntaxNameAndUID  = "1.3.6.1.4.1.1466.115.121.1.34"
)

// parseSchema makes a schema of the values of attributeTypes.
func parseSchema(descriptions []string) *schema {
	s := &schema{types: make(map[string]*attributeType, 2*len(descriptions)), hash: sha256.Sum256([]byte(strings.Join(descriptions, "\n")))}
	for _, d := range descriptions {
		t := parseAttributeType(d)
		if t.oid != "" {
			s.types[strings.ToLower(t.oid)] = t
		}
		for _, name := range t.names {
			s.types[strings.ToLower(name)] = t
		}
	}
	return s
}

func parseAttributeType(description string) *attributeType {
	words := schemaWords(description)
	t := &attributeType{}
	if len(words) > 0 {
		t.oid = words[0]
	}
	for i := 1; i < len(words); i++ {
		value := ""
		if i+1 < len(words) {
			value = words[i+1]
		}
		switch words[i] {
		case "NAME":
			for i++; i < len(words) && strings.HasPrefix(words[i], "'"); i++ {
				if name := strings.Trim(words[i], "'"); name != "" {
					t.names = append(t.names, name)
				}
			}
			i--
		case "SUP":
			t.sup, i = value, i+1
		case "EQUALITY":
			t.equality, i = value, i+1
		case "SYNTAX":
			value, _, _ = strings.Cut(strings.Trim(value, "'"), "{")
			t.syntax, i = value, i+1
		}
	}
	return t
}

// schemaWords takes a description apart: words, and texts in quotes with their first quote. Parentheses say nothing that
// the words do not.
func schemaWords(description string) []string {
	var words []string
	for rest := description; ; {
		rest = strings.TrimLeft(rest, " ()\t\r\n")
		if rest == "" {
			return words
		}
		if rest[0] == '\'' {
			text, after, _ := strings.Cut(rest[1:], "'")
			words, rest = append(words, "'"+text), after
			continue
		}
		end := strings.IndexAny(rest, " ()\t\r\n")
		if end < 0 {
			end = len(rest)
		}
		words, rest = append(words, rest[:end]), rest[end:]
	}
}

// sum tells schemas apart; zero where none is known.
func (s *schema) sum() [sha256.Size]byte {
	if s == nil {
		return [sha256.Size]byte{}
	}
	return s.hash
}

// find returns the type of an attribute description, without its options; nil when the schema does not have it.
func (s *schema) find(description string) *attributeType {
	if s == nil {
		return nil
	}
	base, _, _ := strings.Cut(description, ";")
	return s.types[strings.ToLower(base)]
}

// same reports whether two descriptions are of the same attribute: by name, or by another name or the object identifier
// of the same type. Options must be the same.
func (s *schema) same(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	t := s.find(a)
	if t == nil || t != s.find(b) {
		return false
	}
	_, optionsA, _ := strings.Cut(a, ";")
	_, optionsB, _ := strings.Cut(b, ";")
	return strings.EqualFold(optionsA, optionsB)
}

// inherited looks for a property along the types from which one is derived.
func (s *schema) inherited(name string, property func(*attributeType) string) string {
	t := s.find(name)
	for range 10 {
		if t == nil {
			break
		}
		if value := property(t); value != "" {
			return value
		}
		t = s.find(t.sup)
	}
	return ""
}

func (s *schema) syntax(name string) string {
	return s.inherited(name, func(t *attributeType) string { return t.syntax })
}

func (s *schema) equality(name string) string {
	return s.inherited(name, func(t *attributeType) string { return t.equality })
}

// names are all names that the schema has.
func (s *schema) names() []string {
	var list []string
	for _, t := range s.types {
		list = append(list, t.names...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// schemas remembers what servers said, by address: a schema changes seldom and is large.
type schemas struct {
	mu    sync.Mutex
	known map[string]*schema
}

// readSchema asks a server for its schema; nil when it does not show it.
func (s *session) readSchema(op string) *schema {
	if s.root.schema == "" {
		return nil
	}
	// RFC 4512 section 4.2: attributes of the subschema entry must be asked for by name, and by this filter.
	entries, err := s.search(op+": read schema", ldap.NewSearchRequest(s.root.schema, ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		0, 0, false, "(objectClass=subschema)", []string{"attributeTypes"}, nil))
	if err != nil || len(entries) != 1 {
		return nil
	}
	read := parseSchema(entries[0].GetEqualFoldAttributeValues("attributeTypes"))
	if len(read.types) == 0 {
		return nil
	}
	return read
}

// schemaOf returns the schema of a server: as it is now, or as it was when it was read last. It is asked for only where
// attributes are configured: those of the presets have one name that every server knows.
func (c *Connector) schemaOf(s *session, op string, now bool) *schema {
	if len(c.cfg.ownAttributes()) == 0 {
		return nil
	}
	c.schemas.mu.Lock()
	known, ok := c.schemas.known[s.server]
	c.schemas.mu.Unlock()
	if ok && !now {
		return known
	}
	read := s.readSchema(op)
	if read == nil {
		read = known // what is hidden for once has not changed
	}
	c.schemas.mu.Lock()
	defer c.schemas.mu.Unlock()
	if c.schemas.known == nil {
		c.schemas.known = make(map[string]*schema)
	}
	c.schemas.known[s.server] = read
	return read
}
