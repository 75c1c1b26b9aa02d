package google

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dirsyncd/sync/directory"
)

// attribute is one entry of Config.Attributes.
type attribute struct {
	name  string // as the operator wrote it
	field string // of the user resource; empty: of a custom schema
	sub   string // a part of the field: a key of the main entry of a list, or the type of entries
	// schema and key name a field of a custom schema.
	schema, key string
}

// listsByKey are fields that hold a list of alike entries of which one is the main one, so that a part is one
// of the entry's keys.
func listsByKey() []string {
	return []string{"organizations", "addresses", "locations", "posixAccounts"}
}

// listsByType are fields that hold a list of entries of different types.
func listsByType() []string {
	return []string{"emails", "phones", "externalIds", "relations", "ims", "websites", "keywords", "languages", "sshPublicKeys"}
}

// plainFields are the other fields of the user resource that can be asked for. Those that change without anybody's
// doing (etags, the addresses of photographs) are left out: they would make every read a change.
func plainFields() []string {
	return []string{
		"agreedToTerms", "aliases", "archivalTime", "archived", "changePasswordAtNextLogin", "creationTime", "customerId",
		"id", "includeInGlobalAddressList", "ipWhitelisted", "isAdmin", "isDelegatedAdmin", "isEnforcedIn2Sv", "isEnrolledIn2Sv",
		"isGuestUser", "isMailboxSetup", "lastLoginTime", "nonEditableAliases", "orgUnitPath", "primaryEmail", "recoveryEmail",
		"recoveryPhone", "suspended", "suspensionReason", "suspensionTime", "gender", "notes",
	}
}

func parseAttribute(name string) (attribute, error) {
	head, rest, dotted := strings.Cut(name, ".")
	switch {
	case name == "" || strings.ContainsAny(name, " ,()/*\"'") || dotted && (head == "" || rest == ""):
		return attribute{}, fmt.Errorf("%q is not the name of an attribute", name)
	case head == "password" || head == "hashFunction":
		return attribute{}, fmt.Errorf("%s is never read", head)
	case !dotted && slices.Contains(slices.Concat(plainFields(), listsByKey(), listsByType()), head):
		return attribute{name: name, field: head}, nil
	case !dotted:
		return attribute{}, fmt.Errorf("%q is no field that can be asked for", name)
	case slices.Contains(slices.Concat(listsByKey(), listsByType()), head), head == "gender", head == "notes":
		return attribute{name: name, field: head, sub: rest}, nil
	case slices.Contains(plainFields(), head):
		return attribute{}, fmt.Errorf("%s has no parts", head)
	case strings.Contains(rest, "."):
		return attribute{}, fmt.Errorf("%q has more than two parts", name)
	}
	return attribute{name: name, schema: head, key: rest}, nil
}

// parseAttributes reads a list that Validate has found right.
func parseAttributes(names []string) ([]attribute, error) {
	list := make([]attribute, 0, len(names))
	for _, name := range names {
		a, err := parseAttribute(name)
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// schemas lists the custom schemas that the attributes are of.
func schemas(list []attribute) []string {
	var names []string
	for _, a := range list {
		if a.schema != "" {
			names = append(names, a.schema)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// read takes the attribute out of a user's fields. It reports false when there is nothing.
func (a *attribute) read(fields map[string]json.RawMessage) (directory.Value, bool) {
	if a.schema != "" {
		var all map[string]map[string]json.RawMessage
		if json.Unmarshal(fields["customSchemas"], &all) != nil {
			return directory.Value{}, false
		}
		return jsonValue(all[a.schema][a.key])
	}
	raw := fields[a.field]
	if a.sub == "" {
		return plainValue(a.field, raw)
	}
	entries := entriesOf(raw)
	if slices.Contains(listsByType(), a.field) {
		return valuesOfType(entries, a.sub)
	}
	return jsonValue(mainEntry(entries)[a.sub])
}

// entriesOf reads a list of objects, or a single object in place of one. What else there is, is no entry.
func entriesOf(raw json.RawMessage) []map[string]json.RawMessage {
	raw = bytes.TrimSpace(raw)
	var list []map[string]json.RawMessage
	if len(raw) > 0 && raw[0] == '{' {
		var one map[string]json.RawMessage
		if json.Unmarshal(raw, &one) == nil {
			list = append(list, one)
		}
		return list
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	for _, item := range items {
		var one map[string]json.RawMessage
		if json.Unmarshal(item, &one) == nil && one != nil {
			list = append(list, one)
		}
	}
	return list
}

// mainEntry is the entry that is marked as the primary one, else the first.
func mainEntry(entries []map[string]json.RawMessage) map[string]json.RawMessage {
	for _, e := range entries {
		if string(e["primary"]) == "true" {
			return e
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return entries[0]
}

// valuesOfType collects what entries of a type, or of a custom type, hold.
func valuesOfType(entries []map[string]json.RawMessage, word string) (directory.Value, bool) {
	var found []string
	for _, e := range entries {
		if !strings.EqualFold(textOf(e["type"]), word) && !strings.EqualFold(textOf(e["customType"]), word) {
			continue
		}
		for _, key := range []string{"value", "address", "im", "languageCode", "key"} {
			if text := textOf(e[key]); text != "" {
				found = append(found, text)
				break
			}
		}
	}
	switch len(found) {
	case 0:
		return directory.Value{}, false
	case 1:
		return directory.Text(found[0]), true
	}
	return directory.List(found...), true
}

// plainValue is jsonValue except that 1970 is Google's word for never.
func plainValue(field string, raw json.RawMessage) (directory.Value, bool) {
	v, ok := jsonValue(raw)
	if ok && strings.HasSuffix(field, "Time") && v.Type() == directory.TextType {
		t, known := parseTime(v.Text())
		return directory.Time(t), known
	}
	return v, ok
}

// jsonValue turns JSON of any shape into a value: texts, truth values, numbers, and lists of any of them, where an
// entry of a list that is an object counts by its value. Everything else is nothing.
func jsonValue(raw json.RawMessage) (directory.Value, bool) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return directory.Value{}, false
	case string(raw) == "true" || string(raw) == "false":
		return directory.Bool(raw[0] == 't'), true
	case raw[0] == '[':
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return directory.Value{}, false
		}
		var texts []string
		for _, item := range items {
			if text := textOf(item); text != "" {
				texts = append(texts, text)
			}
		}
		return directory.List(texts...), len(texts) > 0
	case raw[0] == '{':
		text := textOf(raw)
		return directory.Text(text), text != ""
	case raw[0] == '"':
		text := textOf(raw)
		return directory.Text(text), text != ""
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return directory.Number(n), true
	}
	return directory.Text(string(raw)), true
}

// textOf renders one JSON value as a text; of an object, what it calls its value.
func textOf(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || string(raw) == "null" || raw[0] == '[':
		return ""
	case raw[0] == '"':
		var text string
		_ = json.Unmarshal(raw, &text) // what is no text stays empty
		return strings.TrimSpace(text)
	case raw[0] == '{':
		var entry map[string]json.RawMessage
		if json.Unmarshal(raw, &entry) != nil {
			return ""
		}
		if inner := bytes.TrimSpace(entry["value"]); len(inner) > 0 && inner[0] != '{' && inner[0] != '[' {
			return textOf(inner)
		}
		return ""
	}
	return string(raw)
}
