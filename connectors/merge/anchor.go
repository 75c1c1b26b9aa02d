package merge

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/sync/directory"
)

// anchors returns what joins an object of a connection with those of others, by the place in Config.Join: handles that
// objects of the same value have in common, empty where there is no value. Values are hashed: all that is asked is whether two
// are the same.
func (c *Config) anchors(connection string, o *directory.Object) []string {
	list := make([]string, len(c.Join))
	for i := range c.Join {
		j := &c.Join[i]
		field := j.of(connection)
		if field == "" {
			continue
		}
		text := o.ID
		if field != fieldID {
			v, _ := o.Get(field)
			text = v.String()
		}
		if value := c.normal(j, text); value != "" {
			sum := sha256.Sum256([]byte(value))
			list[i] = "join:" + itoa(i) + ":" + base64.RawStdEncoding.EncodeToString(sum[:16])
		}
	}
	return list
}

// normal is a value as it is compared; empty when it says nothing.
func (c *Config) normal(j *Join, text string) string {
	text = strings.TrimSpace(text)
	folded := strings.ToLower(text)
	same := func(blank string) bool { return strings.EqualFold(blank, text) }
	switch {
	case folded == "", folded == "-", folded == "n/a", folded == "none", folded == "null", folded == "unknown", slices.ContainsFunc(c.Blank, same):
		return ""
	case j.As == asGUID:
		return guidBytes(text)
	case j.As == asMail:
		_, domain, ok := strings.Cut(folded, "@")
		if !ok || !slices.ContainsFunc(j.Domains, func(d string) bool { return strings.EqualFold(d, domain) }) {
			return ""
		}
	}
	return folded
}

// guidBytes returns the 16 bytes of a GUID as Active Directory stores them, of which the first three groups of the text are
// little-endian (MS-DTYP 2.3.4.2), from its text with dashes or from the base64 of the bytes (Entra's immutable id, Okta's external
// id). Thirty-two digits without dashes could be either order, and are no value.
func guidBytes(text string) string {
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil && len(raw) == 16 {
		return string(raw)
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return ""
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != 16 {
		return ""
	}
	slices.Reverse(raw[:4])
	slices.Reverse(raw[4:6])
	slices.Reverse(raw[6:8])
	return string(raw)
}

// printOf is the fingerprint of some people: of what joins them.
func printOf(people ...*person) string {
	h := sha256.New()
	for _, p := range people {
		h.Write([]byte(p.name + "\x00" + strings.Join(p.anchors, "\x00") + "\x01"))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func itoa(n int) string { return strconv.Itoa(n) }
