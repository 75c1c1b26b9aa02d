package key

import "dirsyncd/sync/directory"

// Words by which the configuration says how people are matched; every other one is a field, whose values count byte by byte.
const (
	MatchMail  = "mail"
	MatchLogin = "login"
)

// FieldOf returns the field of people that a word of the configuration means.
func FieldOf(match string) Field {
	switch match {
	case MatchMail:
		return Field{Kind: Mail, Name: directory.FieldEmail}
	case MatchLogin:
		return Field{Kind: Login, Name: directory.FieldLogin}
	default:
		return Field{Kind: Exact, Name: match}
	}
}
