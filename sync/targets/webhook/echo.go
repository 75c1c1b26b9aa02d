package webhook

import (
	"net/url"
	"slices"
	"strings"
)

// shortestEcho is how many bytes a part of the URL must have to be hidden: "v1" and "api" are no secrets, and texts that
// happen to hold them should stay readable.
const shortestEcho = 6

// echoes hides what a receiver may quote of its request: frameworks name the path in their error, with or without the
// query, escaped or not, and any segment or value of it may be a token.
func echoes(c *Config, u *url.URL) *strings.Replacer {
	hide := []string{c.Secret.Reveal(), c.PreviousSecret.Reveal()}
	for _, value := range c.Headers {
		s := strings.TrimSpace(value.Reveal())
		if len(s) >= 4 {
			hide = append(hide, s)
		}
		for _, word := range strings.Fields(s) { // Bearer TOKEN
			if len(word) > len("Bearer") {
				hide = append(hide, word)
			}
		}
	}
	parts := []string{u.RequestURI(), u.EscapedPath(), u.Path, u.RawQuery}
	parts = append(parts, strings.Split(u.EscapedPath(), "/")...)
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		_, value, _ := strings.Cut(pair, "=")
		parts = append(parts, value)
	}
	for _, part := range parts {
		for _, form := range spellings(part) {
			if len(form) >= shortestEcho {
				hide = append(hide, form)
			}
		}
	}
	// The longest first: a Replacer takes the first that fits, in the order of its arguments.
	slices.SortStableFunc(hide, func(a, b string) int { return len(b) - len(a) })
	pairs := []string{c.URL.Reveal(), u.Scheme + "://" + u.Host}
	for _, s := range hide {
		if s != "" {
			pairs = append(pairs, s, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}

// spellings are the forms in which a part of a URL may come back: as it stands, without its escapes, with them, and as
// a text in JSON or HTML shows it.
func spellings(part string) []string {
	forms := []string{part}
	for _, decode := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
		if plain, err := decode(part); err == nil {
			forms = append(forms, plain, url.PathEscape(plain), url.QueryEscape(plain))
		}
	}
	for _, form := range slices.Clone(forms) {
		forms = append(forms,
			strings.ReplaceAll(form, "/", `\/`), strings.ReplaceAll(form, "&", `\u0026`), strings.ReplaceAll(form, "&", "&amp;"),
			strings.ReplaceAll(form, "/", "&#x2F;"), strings.ReplaceAll(form, "/", "&#47;"))
	}
	return forms
}
