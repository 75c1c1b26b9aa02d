// Package key says when two texts name the same person: the normal forms of what a provider of identity and a directory
// call somebody by. It is pure.
package key

import (
	"crypto/sha256"
	"slices"
	"strings"

	"dirsyncd/sync/directory"
)

// Kind says what a text is, and with that which spellings of it are the same. The words are stored and stand in the
// configuration: they are appended to, never changed.
type Kind string

// The kinds, and the normal form of each.
const (
	// ID is the id of the object itself. It has no normal form beside its bytes, and needs no index.
	ID Kind = "id"
	// Mail is a mail address, Login a log-in name with a domain (userPrincipalName): no blanks at the ends, NFC, lower case, the domain in
	// ASCII (RFC 5890). "+" and dots stay: to whom they lead is the domain's affair.
	Mail  Kind = "mail"
	Login Kind = "login"
	// GUID is a UUID (RFC 9562) in lower case with hyphens. The base64 of its 16 bytes stands for two, for Microsoft writes the first three
	// groups in the other byte order.
	GUID Kind = "guid"
	// NameID is that of a SAML assertion, without blanks at the ends.
	NameID Kind = "name_id"
	// Exact is a text byte by byte, such as the sub of OpenID Connect.
	Exact Kind = "exact"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{ID, Mail, Login, GUID, NameID, Exact} }

// Form is the number of the normal forms. Another one means that an index must be made anew.
const Form = 1

// Key is a text in its normal form.
type Key struct {
	Kind  Kind
	Value string
}

// Of returns the keys that a text stands for: one, two of a GUID in base64, and none of a text that may not be one of its kind.
func Of(kind Kind, text string) []Key {
	var values []string
	switch kind {
	case ID, Exact:
		values = exact(text, mostExact)
	case Mail, Login:
		values = address(text)
	case GUID:
		values = guid(text)
	case NameID:
		values = exact(strings.TrimSpace(text), mostNameID)
	}
	keys := make([]Key, len(values))
	for i, v := range values {
		keys[i] = Key{Kind: kind, Value: v}
	}
	return keys
}

// Hash is short for the key in an index. Two keys that have the same one are told apart by their values.
func (k Key) Hash() [16]byte {
	sum := sha256.Sum256([]byte(string(k.Kind) + "\x00" + k.Value))
	return [16]byte(sum[:16])
}

// Field says that a field of people holds keys of a kind: one as a text, several as a list.
type Field struct {
	Kind Kind   `json:"kind"`
	Name string `json:"field"`
}

// OfObject returns the keys that an object has in some fields, each once.
func OfObject(o *directory.Object, fields []Field) (keys []Key) {
	for _, f := range fields {
		v, _ := o.Get(f.Name)
		texts := v.List()
		if v.Type() == directory.TextType {
			texts = []string{v.Text()}
		}
		for _, text := range texts {
			if f.Kind == Mail {
				text = withoutScheme(text)
			}
			for _, k := range Of(f.Kind, text) {
				if !slices.Contains(keys, k) {
					keys = append(keys, k)
				}
			}
		}
	}
	return keys
}

// withoutScheme is a mail address as Microsoft's proxyAddresses have it, "SMTP:a@example.test", without its beginning.
func withoutScheme(text string) string {
	const scheme = "smtp:"
	if len(text) >= len(scheme) && strings.EqualFold(text[:len(scheme)], scheme) {
		return text[len(scheme):]
	}
	return text
}

const (
	mostExact  = 255 // OpenID Connect Core 2, of sub
	mostNameID = 1024
)

func exact(text string, most int) []string {
	if text == "" || len(text) > most {
		return nil
	}
	return []string{text}
}
