package oktasim

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// timestamp is how Okta writes times. Texts of this form sort by time.
const timestamp = "2006-01-02T15:04:05.000Z"

// condition is a SCIM filter: given a way to look an attribute up, it holds or not.
type condition func(get func(name string) (string, bool)) bool

// filterRules say what a place takes.
type filterRules struct {
	// takes reports whether an attribute may be used with an operator.
	takes func(name, op string) bool
	// fold compares without regard to case.
	fold bool
}

var errFilter = errors.New("invalid search criteria")

// parseFilter reads a filter of comparisons, and, or and parentheses.
func parseFilter(text string, rules filterRules) (condition, error) {
	p := &filterParser{rest: text, rules: rules}
	c, err := p.or()
	if err == nil && p.peek() != "" {
		err = fmt.Errorf("%w: %q is left over", errFilter, p.rest)
	}
	return c, err
}

type filterParser struct {
	rest  string
	rules filterRules
}

// peek returns the next word, parenthesis or quoted text without taking it.
func (p *filterParser) peek() string {
	p.rest = strings.TrimLeft(p.rest, " ")
	switch {
	case p.rest == "":
		return ""
	case p.rest[0] == '(' || p.rest[0] == ')':
		return p.rest[:1]
	case p.rest[0] == '"':
		for i := 1; i < len(p.rest); i++ {
			if p.rest[i] == '\\' {
				i++
			} else if p.rest[i] == '"' {
				return p.rest[:i+1]
			}
		}
		return p.rest
	}
	if i := strings.IndexAny(p.rest, " ()\""); i >= 0 {
		return p.rest[:i]
	}
	return p.rest
}

func (p *filterParser) take() string {
	word := p.peek()
	p.rest = p.rest[len(word):]
	return word
}

func (p *filterParser) or() (condition, error) {
	left, err := p.and()
	for err == nil && strings.EqualFold(p.peek(), "or") {
		p.take()
		var right condition
		if right, err = p.and(); err == nil {
			a, b := left, right
			left = func(get func(string) (string, bool)) bool { return a(get) || b(get) }
		}
	}
	return left, err
}

func (p *filterParser) and() (condition, error) {
	left, err := p.term()
	for err == nil && strings.EqualFold(p.peek(), "and") {
		p.take()
		var right condition
		if right, err = p.term(); err == nil {
			a, b := left, right
			left = func(get func(string) (string, bool)) bool { return a(get) && b(get) }
		}
	}
	return left, err
}

func (p *filterParser) term() (condition, error) {
	name := p.take()
	if name == "(" {
		c, err := p.or()
		if err == nil && p.take() != ")" {
			err = errFilter
		}
		return c, err
	}
	op := strings.ToLower(p.take())
	if name == "" || !p.rules.takes(name, op) {
		return nil, fmt.Errorf("%w: %s %s", errFilter, name, op)
	}
	if op == "pr" {
		return func(get func(string) (string, bool)) bool { _, ok := get(name); return ok }, nil
	}
	value := p.take()
	if value == "" || value == "(" || value == ")" {
		return nil, errFilter
	}
	if inner, ok := strings.CutPrefix(value, `"`); ok {
		inner, ok = strings.CutSuffix(inner, `"`)
		if !ok {
			return nil, errFilter
		}
		value = strings.ReplaceAll(strings.ReplaceAll(inner, `\"`, `"`), `\\`, `\`)
	}
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		value = t.UTC().Format(timestamp)
	}
	return p.comparison(name, op, value)
}

func (p *filterParser) comparison(name, op, value string) (condition, error) {
	if p.rules.fold {
		value = strings.ToLower(value)
	}
	var holds func(have string) bool
	switch op {
	case "eq":
		holds = func(have string) bool { return have == value }
	case "gt":
		holds = func(have string) bool { return have > value }
	case "ge":
		holds = func(have string) bool { return have >= value }
	case "lt":
		holds = func(have string) bool { return have < value }
	case "le":
		holds = func(have string) bool { return have <= value }
	case "sw":
		holds = func(have string) bool { return strings.HasPrefix(have, value) }
	default:
		return nil, fmt.Errorf("%w: operator %q", errFilter, op)
	}
	fold := p.rules.fold
	return func(get func(string) (string, bool)) bool {
		have, ok := get(name)
		if fold {
			have = strings.ToLower(have)
		}
		return ok && holds(have)
	}, nil
}
