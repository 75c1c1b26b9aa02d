package expression

// Version is that of the expression library; a test holds it against go.mod. With another one the same text may
// come to something else, so it is part of a ruleset's hash, and all customers are mapped again.
const Version = "v1.17.8"
