package key

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// mostAddress is the longest path of SMTP without its angle brackets (RFC 5321, 4.5.3.1.3; erratum 1690).
const mostAddress = 254

// address is a mail address or log-in name with a domain in its normal form.
func address(text string) []string {
	text = strings.TrimSpace(text)
	if len(text) > mostAddress || !utf8.ValidString(text) {
		return nil
	}
	local, domain, ok := strings.Cut(text, "@")
	if !ok || local == "" || strings.Contains(domain, "@") {
		return nil
	}
	if local, ok = localPart(local); !ok {
		return nil
	}
	if domain, ok = Domain(domain); !ok || len(local)+1+len(domain) > mostAddress {
		return nil
	}
	return []string{local + "@" + domain}
}

// localPart refuses what people cannot see, what would have to be quoted (RFC 5322, 3.2.3 and 3.2.4), and letters that would become others of ASCII: the Kelvin sign is no
// k, and the dotted capital I of Turkish no i.
func localPart(s string) (string, bool) {
	for _, r := range s {
		switch {
		case strings.ContainsRune(`"(),:;<>[\]`, r) || r == utf8.RuneError || unicode.IsSpace(r) || unicode.In(r, unicode.C, unicode.Z):
			return "", false
		case r >= utf8.RuneSelf && (unicode.ToLower(r) < utf8.RuneSelf || norm.NFC.String(string(r))[0] < utf8.RuneSelf):
			return "", false
		}
	}
	return norm.NFC.String(strings.ToLower(norm.NFC.String(s))), true
}

// Domain is the name of a domain in lower case and ASCII (RFC 5891); false for what cannot be one. One with a dot at its end is refused.
func Domain(s string) (string, bool) {
	if plain := strings.ToLower(s); isPlain(plain) {
		return plain, true
	}
	name, err := idna.Lookup.ToASCII(s)
	if err != nil || !hasLabels(name) {
		return "", false
	}
	return name, true
}

// isPlain reports whether a domain is in its normal form already.
func isPlain(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == "" && !strings.Contains(s, "--") && hasLabels(s)
}

func hasLabels(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}
