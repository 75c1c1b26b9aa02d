package config

import (
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/schedule"
	"dirsyncd/sync/settings/strict"
)

// SignIn is the word, in place of a connector's, of connections whose people come by sign-in only: those of the providers with a mapping for people
// in no directory. Nobody writes such a connection; it has the provider's name.
const SignIn = "sign-in"

// ownSchedule is how often such a connection is settled: what rules say about time, and who waits for an approval. It asks nobody.
const ownSchedule = "@every 15m"

// Newcomers is how people are made of those who sign in and whom nobody knows: `unknown: create`.
type Newcomers struct {
	// PerDay is how many may come in a day unasked; as many again wait for the operator, and all others are refused.
	PerDay int
	// Customer is ByDomain, ByTenant, or the name of the customer of all; empty: the rules say it.
	Customer string
	// Mapping and Targets are of people in no directory that is read; empty: they are refused.
	Mapping string
	Targets []string
}

// How the customer of a newcomer is found.
const (
	ByDomain = "by_domain"
	ByTenant = "by_tenant"
)

// anyDomain, in the list of domains, has people made from anywhere. Nobody is matched by an address then.
const anyDomain = "*"

// unknownWord says what becomes of people whom nobody knows.
type unknownWord string

const createUnknown = unknownWord("create")

// DecodeStrict implements strict.Decoder.
func (w *unknownWord) DecodeStrict(v strict.Value) { choose(v, w, "refuse", createUnknown) }

// createKeys are the keys of `create`.
type createKeys struct {
	PerDay   int      `yaml:"per_day" strict:"required"`
	Customer string   `yaml:"customer"`
	Mapping  string   `yaml:"mapping"`
	Targets  []string `yaml:"targets"`
}

// mostPerDay is more people than anybody lets in unasked.
const mostPerDay = 10_000

// readNewcomers reads how people are made, and makes the connection of those whom no directory has; nil when unknown people are refused.
func (l *loader) readNewcomers(name string, v strict.Value, unknown unknownWord, k *createKeys) *Newcomers {
	at := v.Get("create")
	switch {
	case v.Kind() != strict.Block:
		return nil
	case unknown != createUnknown && k != nil:
		at.KeyProblem("write `unknown: create`, too, or leave it out", "create: unknown people are refused")
		return nil
	case unknown != createUnknown:
		return nil
	case k == nil:
		v.Get("unknown").Problem("write how many at most: `create: {per_day: 50}`", "unknown: people would be made without a bound")
		return nil
	}
	if k.PerDay < 1 || k.PerDay > mostPerDay {
		at.Get("per_day").Problem("write how many new people a day are usual, from 1 to 10000", "per_day: %d is no bound", k.PerDay)
	}
	n := &Newcomers{PerDay: k.PerDay, Customer: k.Customer, Mapping: k.Mapping, Targets: k.Targets}
	if strings.HasPrefix(k.Customer, "by_") && k.Customer != ByDomain && k.Customer != ByTenant {
		at.Get("customer").Problem("write by_domain, by_tenant, or the name of a customer", "customer: there is no way %q to find it", short(k.Customer))
	}
	l.refer(at.Get("mapping"), "mapping", l.mappings)
	l.checkTargets(at.Get("targets"))
	switch {
	case (k.Mapping == "") != (len(k.Targets) == 0):
		at.KeyProblem("write both for people in no directory, such as {mapping: customers, targets: [desk]}; neither when all of them are in `directories`",
			"create: `mapping` and `targets` go together")
	case k.Mapping != "":
		l.addOwnConnection(name, v, n)
	}
	return n
}

// addOwnConnection makes the connection of the people whom only the provider knows.
func (l *loader) addOwnConnection(name string, v strict.Value, n *Newcomers) {
	if _, taken := l.cfg.Connection(name); taken {
		v.KeyProblem("give the provider another name: it becomes part of the keys of the people who are made", "there is a connection %q, too", short(name))
		return
	}
	times, err := schedule.Parse(ownSchedule, "")
	if err != nil {
		panic(err) // a constant
	}
	l.cfg.Connections = append(l.cfg.Connections, Connection{Name: name, Connector: SignIn, Schedule: ownSchedule, Incremental: times, Timezone: time.UTC,
		Mapping: n.Mapping, Targets: n.Targets})
	slices.SortFunc(l.cfg.Connections, func(a, b Connection) int { return strings.Compare(a.Name, b.Name) })
}
