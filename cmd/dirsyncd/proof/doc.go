// Package proof holds the tests that show the promises of the design over the whole road of a run: real
// connectors reading real servers or simulators, the real engine, rules, store and delivery. It has no code of
// its own; docs/reliability.md says which promise is shown where.
package proof
