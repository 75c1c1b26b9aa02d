package signin

import (
	"dirsyncd/sync/directory"
	"dirsyncd/sync/signin/key"
)

// Words of Policy.Match; every other one is a field, whose values count byte by byte.
const (
	MatchMail  = "mail"
	MatchLogin = "login"
)

// KindOf returns what spellings of a value are the same.
func KindOf(match string) key.Kind {
	switch match {
	case MatchMail:
		return key.Mail
	case MatchLogin:
		return key.Login
	default:
		return key.Exact
	}
}

// FieldOf returns the field of people that has the values.
func FieldOf(match string) key.Field {
	switch match {
	case MatchMail:
		return key.Field{Kind: key.Mail, Name: directory.FieldEmail}
	case MatchLogin:
		return key.Field{Kind: key.Login, Name: directory.FieldLogin}
	default:
		return key.Field{Kind: key.Exact, Name: match}
	}
}
