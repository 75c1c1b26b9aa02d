package expression

import (
	"slices"
	"strings"
	"time"
)

// Function describes a function that expressions can call, for the reference and for `rules list`.
type Function struct {
	Name      string    `json:"name"`
	Signature string    `json:"signature"`
	Help      string    `json:"help"`
	Examples  []Example `json:"examples"`
}

// Example is an expression and what it comes to, as a field of a record shows it.
type Example struct {
	Expression string `json:"expression"`
	Result     string `json:"result"`
}

// Limits of what one expression may build. They are far above anything that a record can use; they keep rules
// from taking the memory of the machine.
const (
	maxText  = 64 << 10 // bytes
	maxItems = 10_000
	// maxMemory is what lists of the expression language itself may add up to, in items.
	maxMemory = 1_000_000
	// maxEffort is what an expression may do within conditions over lists: parts of a condition that are evaluated for a
	// list within a list, items and every 16 bytes of text that functions build. It takes half a second or less.
	maxEffort = 4_000_000
)

// function is a Function with its implementation. One without is part of the expression language.
type function struct {
	Function
	// nullable: the result can be missing although its type has no blank.
	nullable bool
	// typ is a pointer to a function of the types that the checker knows. There is one only, with ... for what may
	// be left out: with several the checker would look at the arguments once for each, and at theirs again.
	typ any
	// takes are the kinds of a first argument of type any; of all arguments when the function is variadic in any.
	takes []kind
	// max is how many arguments there may be when the type says "any number"; zero: any number.
	max  int
	call func(args ...any) (any, error)
}

// Functions lists the functions that expressions can call, in the order of the reference. It is the whole list:
// what the expression language has besides these is switched off, because its result depends on the clock, the
// machine or the order of a map, or because it has no use in a rule.
func Functions() []Function {
	table := functionTable()
	list := make([]Function, len(table))
	for i, f := range table {
		list[i] = f.Function
	}
	return list
}

func functionTable() []function {
	return slices.Concat(textFunctions(), listFunctions(), domainFunctions(), momentFunctions(), tableFunctions())
}

func textFunctions() []function {
	return []function{
		{Function: fn("lower", "lower(text)", "text in small letters", `lower("ACME")`, "acme")},
		{Function: fn("upper", "upper(text)", "text in capitals", `upper("acme")`, "ACME")},
		{
			Function: fn("trim", "trim(text), trim(text, letters)",
				"text without blanks, or without these letters, at both ends",
				`trim("  Acme ")`, "Acme", `trim("--Acme-", "-")`, "Acme"),
			typ: new(func(string, ...string) string),
			max: 2,
			call: func(a ...any) (any, error) {
				if len(a) > 1 {
					return strings.Trim(a[0].(string), a[1].(string)), nil
				}
				return strings.TrimSpace(a[0].(string)), nil
			},
		},
		{
			Function: fn("trimPrefix", "trimPrefix(text, start)", "text without this start",
				`trimPrefix("EXT Jane", "EXT ")`, "Jane"),
			typ:  new(func(string, string) string),
			call: func(a ...any) (any, error) { return strings.TrimPrefix(a[0].(string), a[1].(string)), nil },
		},
		{
			Function: fn("trimSuffix", "trimSuffix(text, end)", "text without this end",
				`trimSuffix("jane@corp", "@corp")`, "jane"),
			typ:  new(func(string, string) string),
			call: func(a ...any) (any, error) { return strings.TrimSuffix(a[0].(string), a[1].(string)), nil },
		},
		{
			Function: fn("replace", "replace(text, old, new)", "text with every old replaced by new",
				`replace("+44 20 7946", " ", "")`, "+44207946"),
			typ: new(func(string, string, string) string),
			call: func(a ...any) (any, error) {
				text, from, to := a[0].(string), a[1].(string), a[2].(string)
				if grown := len(text) + (strings.Count(text, from))*max(0, len(to)-len(from)); grown > maxText {
					return nil, errTooLong
				}
				return strings.ReplaceAll(text, from, to), nil
			},
		},
		{
			Function: fn("split", "split(text, separator)", "the parts of a text between separators",
				`split("a;b", ";")`, "a, b"),
			typ: new(func(string, string) []string),
			call: func(a ...any) (any, error) {
				return strings.SplitN(a[0].(string), a[1].(string), maxItems), nil
			},
		},
		{
			Function: fn("string", "string(value)", "a number, truth value or time as text",
				`string(12)`, "12", `string(date("2026-01-31"))`, "2026-01-31T00:00:00Z"),
			typ:   new(func(any) string),
			takes: []kind{textKind, numberKind, truthKind, fractionKind, timeKind},
			call:  func(a ...any) (any, error) { return showScalar(a[0]), nil },
		},
		{
			Function: fn("int", "int(text or number)",
				"a text or a fraction as whole number; a blank text stays blank, what follows the point is cut off",
				`int("42") + 1`, "43", `int("") ?? 0`, "0"),
			nullable: true,
			typ:      new(func(any) int),
			takes:    []kind{textKind, numberKind, fractionKind},
			call:     func(a ...any) (any, error) { return wholeNumber(a[0]) },
		},
		{
			Function: fn("date", "date(text)",
				"a date (2026-01-31), or a date and time of RFC 3339, as time in UTC; a blank text stays blank",
				`date("2026-01-31") < date("2026-02-01T08:00:00+01:00")`, "true"),
			nullable: true,
			typ:      new(func(string) time.Time),
			call:     func(a ...any) (any, error) { return dateOf(a[0].(string)) },
		},
	}
}

func listFunctions() []function {
	return []function{
		{Function: fn("len", "len(text or list)", "how many letters or items",
			`len("Zoë")`, "3", `len(["a", "b"])`, "2")},
		{Function: fn("any", "any(list, condition)", "whether the condition holds for an item; # is the item",
			`any(["VPN London", "Staff"], # startsWith "VPN ")`, "true")},
		{Function: fn("all", "all(list, condition)", "whether the condition holds for every item",
			`all(["a@x.test", "b@y.test"], # endsWith "@x.test")`, "false")},
		{Function: fn("none", "none(list, condition)", "whether the condition holds for no item",
			`none(["Staff"], # contains "Guest")`, "true")},
		{Function: fn("one", "one(list, condition)", "whether the condition holds for exactly one item",
			`one(["L1", "L2"], # == "L1")`, "true")},
		{Function: fn("filter", "filter(list, condition)", "the items for which the condition holds",
			`filter(["Site London", "Staff"], # startsWith "Site ")`, "Site London")},
		{Function: fn("map", "map(list, value)", "a list with the value that is computed of each item",
			`map(["Site London", "Site Oslo"], trimPrefix(#, "Site "))`, "London, Oslo")},
		{Function: fn("find", "find(list, condition)", "the first item for which the condition holds, else blank",
			`find(["Staff", "Site London"], # startsWith "Site ") ?? "none"`, "Site London")},
		{Function: fn("count", "count(list, condition)", "for how many items the condition holds",
			`count(["a1", "a2", "b1"], # startsWith "a")`, "2")},
		{
			Function: fn("first", "first(list)", "the first item, else blank", `first(["a", "b"])`, "a",
				`first([]) ?? "none"`, "none"),
			typ:   new(func(any) string),
			takes: []kind{listKind},
			call:  onTexts(func(list []string) any { return pick(list, 0) }),
		},
		{
			Function: fn("last", "last(list)", "the last item, else blank", `last(split("a/b", "/"))`, "b"),
			typ:      new(func(any) string),
			takes:    []kind{listKind},
			call:     onTexts(func(list []string) any { return pick(list, -1) }),
		},
		{
			Function: fn("join", "join(list), join(list, separator)", "the items as one text",
				`join(["a", "b"], " / ")`, "a / b"),
			typ:   new(func(any, ...string) string),
			takes: []kind{listKind},
			max:   2,
			call:  joinTexts,
		},
		{
			Function: fn("sort", "sort(list)", "the items in the order of their letters' code points",
				`join(sort(["b", "a"]))`, "ab"),
			typ:   new(func(any) []string),
			takes: []kind{listKind},
			call:  onTexts(func(list []string) any { return sortedTexts(list) }),
		},
		{
			Function: fn("uniq", "uniq(list)", "the items without repetitions",
				`join(uniq(["b", "a", "b"]))`, "ba"),
			typ:   new(func(any) []string),
			takes: []kind{listKind},
			call:  onTexts(func(list []string) any { return uniqueTexts(list) }),
		},
		{
			Function: fn("concat", "concat(list, list, …)", "the items of all lists",
				`join(concat(["a"], ["c", "b"]))`, "acb"),
			typ:   new(func(...any) []string),
			takes: []kind{listKind},
			call:  concatTexts,
		},
	}
}

func domainFunctions() []function {
	return []function{
		{
			Function: fn("domain", "domain(address)", "what stands behind the last @, in small letters; else blank",
				`domain("Jane@Example.TEST")`, "example.test", `domain("jane") ?? "none"`, "none"),
			typ: new(func(string) string),
			call: func(a ...any) (any, error) {
				address := a[0].(string)
				at := strings.LastIndexByte(address, '@')
				if at < 0 {
					return "", nil
				}
				return strings.ToLower(address[at+1:]), nil
			},
		},
		{
			Function: fn("local_part", "local_part(address)",
				"what stands before the last @; the whole text when there is none",
				`local_part("jane.roe@example.test")`, "jane.roe"),
			typ: new(func(string) string),
			call: func(a ...any) (any, error) {
				address := a[0].(string)
				if at := strings.LastIndexByte(address, '@'); at >= 0 {
					return address[:at], nil
				}
				return address, nil
			},
		},
		{
			Function: fn("ou", "ou(path), ou(path, n)",
				"an organizational unit of a DN, or a part of a path with slashes: 0 is the innermost, "+
					"-1 the outermost; else blank",
				`ou("ou=London,ou=Sites,dc=example,dc=test")`, "London", `ou("/Sites/London", -1)`, "Sites"),
			typ: new(func(string, ...int) string),
			max: 2,
			call: func(a ...any) (any, error) {
				return unit(a[0].(string), indexOf(a, 1)), nil
			},
		},
		{
			Function: fn("under", "under(path, container)",
				"whether a path is that of a container or of something below it: DNs as RFC 4514 compares them, paths with slashes part by part; "+
					"capitals do not count",
				`under("OU=Desk,OU=London,DC=example,DC=test", "ou=london, dc=example,dc=test")`, "true",
				`under("/Sites/London/Desk", "/Sites/London")`, "true", `under("/Sites/Londonderry", "/Sites/London")`, "false"),
			typ:  new(func(string, string) bool),
			call: func(a ...any) (any, error) { return Under(a[0].(string), a[1].(string)), nil },
		},
		{
			Function: fn("dn_part", "dn_part(dn, type), dn_part(dn, type, n)",
				"the value of a part of a DN: 0 is the innermost of this type, -1 the outermost; else blank",
				`dn_part("cn=VPN\\, all,ou=Groups,dc=example", "cn")`, "VPN, all",
				`dn_part("ou=a,ou=b,dc=c", "OU", 1)`, "b"),
			typ: new(func(string, string, ...int) string),
			max: 3,
			call: func(a ...any) (any, error) {
				return dnPart(a[0].(string), a[1].(string), indexOf(a, 2)), nil
			},
		},
	}
}

// lookupFunction is the function that finds all rows of a table; see lookup.go.
const lookupFunction = "lookup"

func tableFunctions() []function {
	return []function{{
		Function: fn(lookupFunction, "lookup(table, list), lookup(table, list, column)",
			"what the rows of a table say whose keys are in the list: in the order of the table, without repetitions",
			`lookup(table.teams, ["Oslo", "Desk"])`, "1st Line, Norway", `lookup(table.offices, ["Oslo"], "city")`, "Oslo"),
		typ:  new(func(any, any, ...string) []string),
		max:  3,
		call: func(...any) (any, error) { return nil, errNoField }, // the rewriter puts the intrinsic in its place
	}}
}

// fn describes a function; examples are pairs of an expression and its result.
func fn(name, signature, help string, examples ...string) Function {
	f := Function{Name: name, Signature: signature, Help: help}
	for i := 0; i+1 < len(examples); i += 2 {
		f.Examples = append(f.Examples, Example{Expression: examples[i], Result: examples[i+1]})
	}
	return f
}

func indexOf(args []any, at int) int {
	if at < len(args) {
		return args[at].(int)
	}
	return 0
}
