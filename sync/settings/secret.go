package settings

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// hidden is what every rendering of a secret shows.
const hidden = "***"

// Secret is a password, token or key. Whatever prints it (fmt with any verb, JSON, YAML, slog) prints three
// stars; only Reveal gives it away. The zero Secret is empty. It is immutable.
//
// In the configuration it is a text, {env: NAME}, {file: PATH} or {credential: NAME}.
type Secret struct {
	// A pointer, because fmt prints unexported fields of other structs without asking their methods.
	value *string
	// unseen: there is one, but this process could not read it.
	unseen bool
}

// NewSecret makes a secret of a text.
func NewSecret(value string) Secret { return Secret{value: &value} }

// Reveal returns the secret itself; nothing of one that was given and could not be read (strict.Options.Blind). It is called where the secret is used, and nowhere else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether no secret was given.
func (s Secret) IsZero() bool { return !s.unseen && (s.value == nil || *s.value == "") }

// Equal reports whether two secrets are the same, in a time that does not depend on where they differ.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String hides the secret.
func (s Secret) String() string { return hidden }

// GoString hides the secret.
func (s Secret) GoString() string { return hidden }

// Format hides the secret under every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalJSON hides the secret.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalYAML hides the secret.
func (s Secret) MarshalYAML() (any, error) { return hidden, nil }

// LogValue hides the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
