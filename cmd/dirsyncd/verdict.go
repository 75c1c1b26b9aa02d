package main

import (
	"fmt"
	"strings"
	"time"

	"dirsyncd/cmd/dirsyncd/term"
	"dirsyncd/sync/api"
)

// How things are in the words and numbers of monitoring plugins:
// https://www.monitoring-plugins.org/doc/guidelines.html, "Plugin Return Codes".

type severity int

const (
	fine severity = iota
	warning
	critical
	unknown
)

func (s severity) String() string { return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s] }

// graceTime is how long something may fail before somebody should be woken: sources and networks have bad minutes.
const graceTime = time.Hour

// timeToRenew is how long before its end a certificate or secret must be on somebody's list.
const timeToRenew = 14 * 24 * time.Hour

// verdict is how bad things are, and why.
type verdict struct {
	severity severity
	reasons  []string
}

func (v *verdict) add(s severity, format string, args ...any) {
	v.severity = max(v.severity, s)
	v.reasons = append(v.reasons, fmt.Sprintf(format, args...))
}

// judge says how bad a state is.
func (cli *cli) judge(st *api.Status) (v verdict) {
	failing := func(what string, since time.Time) {
		s, age := warning, cli.now().Sub(since)
		if age > graceTime {
			s = critical
		}
		v.add(s, "%s has failed for %s", what, term.Rough(age))
	}
	if !st.Daemon {
		v.add(critical, "no daemon is running")
	}
	if st.Problem != "" {
		v.add(warning, "the last reload was refused")
	}
	for i := range st.Connections {
		c := &st.Connections[i]
		for j := range c.Tenants {
			t := &c.Tenants[j]
			where := place(c.Name, t.Tenant, t.Name)
			if t.Failing != nil {
				failing(where, t.Failing.Since)
			}
			if t.Held != nil {
				v.add(warning, "%s: a plan is held", where)
			}
			if t.Parked > 0 {
				v.add(warning, "%s: %s parked", where, term.Many(t.Parked, "item"))
			}
		}
	}
	for i := range st.Targets {
		if t := &st.Targets[i]; t.Error != "" {
			failing("target "+t.Name, t.Since)
		}
		if waits := waitsForYou(st.Targets[i].Waits); waits != "" {
			v.add(warning, "target %s: %s", st.Targets[i].Name, waits)
		}
	}
	for i := range st.Conditions {
		cli.judgeCondition(&v, &st.Conditions[i])
	}
	for _, r := range st.Recipients {
		v.add(warning, "recipient %s of notices has not been told for %s", r.Name, term.Rough(cli.now().Sub(r.Since)))
	}
	for _, p := range st.Providers {
		for _, e := range p.Ends {
			switch left := e.At.Sub(cli.now()); {
			case !e.Soon || left > timeToRenew:
			case left <= 0:
				v.add(critical, "sign-in at %s: %s ran out", p.Name, e.Use)
			default:
				v.add(warning, "sign-in at %s: %s ends in %s", p.Name, e.Use, term.Rough(left))
			}
		}
	}
	return v
}

// judgeCondition adds what somebody would be told of, unless the rest of the state says it already.
func (cli *cli) judgeCondition(v *verdict, c *api.Condition) {
	switch {
	case c.Kind == "unproven":
		v.add(critical, "%s: not proven for %s", c.Where, term.Rough(cli.now().Sub(c.Since)))
	case c.Kind == "late":
		v.add(warning, "%s: actions have waited for %s", c.Where, term.Rough(cli.now().Sub(c.Since)))
	case c.Kind == "review" && strings.HasPrefix(c.Where, "connection "), c.Kind == "empty", c.Kind == "seats":
		v.add(warning, "%s: %s", c.Where, c.Text)
	case c.Kind == "expiring" && !bySignin(c):
		switch left := c.Ends.Sub(cli.now()); {
		case left > timeToRenew:
		case left <= 0:
			v.add(critical, "%s: %s", c.Where, c.Text)
		default:
			v.add(warning, "%s: %s", c.Where, c.Text)
		}
	}
}

// bySignin reports whether a condition is about a provider of sign-in, which has its own place in the state.
func bySignin(c *api.Condition) bool { return strings.HasPrefix(c.Where, "sign-in at ") }

// mostReasons keeps the line short: pagers cut it.
const mostReasons = 5

// showVerdict writes the line, and returns the exit status.
func (cli *cli) showVerdict(v verdict) error {
	reasons := v.reasons
	if more := len(reasons) - mostReasons; more > 0 {
		reasons = append(reasons[:mostReasons:mostReasons], fmt.Sprintf("and %d more", more))
	}
	text := strings.Join(reasons, "; ")
	if text == "" {
		text = "everything is in sync"
	}
	if cli.opts.json {
		if err := cli.out.JSON(map[string]any{"severity": v.severity.String(), "reasons": append([]string{}, v.reasons...)}); err != nil {
			return err
		}
		return finished(int(v.severity))
	}
	cli.out.Line("%s: %s", v.severity, term.Clean(text))
	return finished(int(v.severity))
}
