package expression

import (
	"strings"

	"dirsyncd/sync/directory"
)

// The words of what a provider of identity says of somebody who signs in.
const (
	Claims = "claims" // claims.NAME is the list of all values
	Claim  = "claim"  // claim.NAME is the only value, blank when there is none or several
)

// NewClaimsLanguage returns the language of conditions on what a provider of identity says of somebody, under the provider's own names:
// claims.affiliation is a list of texts, claim.acr a text. Nothing of a directory can be read in it.
func NewClaimsLanguage() *Language {
	return newLanguage(&Names{
		noun: "sign-in", bindings: map[string]binding{}, bases: []string{Claims, Claim},
		own: func(name string) (binding, bool) {
			if rest, ok := strings.CutPrefix(name, Claims+"."); ok && rest != "" {
				return binding{Name: Name{Name: name, Type: directory.ListType, Help: "what the provider says under " + rest}, read: func(in *Input) directory.Value {
					return directory.List(in.Claims[rest]...)
				}}, true
			}
			if rest, ok := strings.CutPrefix(name, Claim+"."); ok && rest != "" {
				return binding{Name: Name{Name: name, Type: directory.TextType, Help: "the only value that the provider says under " + rest}, read: func(in *Input) directory.Value {
					if values := in.Claims[rest]; len(values) == 1 {
						return textOrNull(values[0])
					}
					return directory.Null()
				}}, true
			}
			return binding{}, false
		},
	})
}
