package expression

// Version is that of the expression library; a test holds it against go.mod. With another one the same text may
// come to something else, so it is part of what a ruleset's hash is made of.
const Version = "v1.17.8"
