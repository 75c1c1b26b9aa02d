package expression

import (
	"slices"

	"dirsyncd/sync/spelling"
)

// aliases are words that operators know from their directory, and the names under which rules know them.
var aliases = map[string]string{
	"displayname": "name", "cn": "name", "fullname": "name",
	"firstname": "given_name", "surname": "family_name", "sn": "family_name", "lastname": "family_name",
	"mail": "email", "emailaddress": "email", "proxyaddresses": "emails",
	"uid": "login", "username": "login", "samaccountname": "login", "userprincipalname": "login", "upn": "login",
	"telephonenumber": "phone", "telephone": "phone", "mobilephone": "mobile",
	"jobtitle": "title", "officelocation": "office", "physicaldeliveryofficename": "office", "location": "office",
	"companyname": "company", "zip": "postal_code", "l": "city",
	"memberof": "groups", "licenses": "licences", "licenseids": "licence_ids",
	"active": "enabled", "accountenabled": "enabled",
	"ou": "path", "dn": "path", "orgunitpath": "path", "lastlogon": "last_login",
}

// DidYouMean renders the name that was probably meant as a hint, or returns the other hint when there is none.
func DidYouMean(word string, candidates []string, otherwise string) string {
	if s := suggest(word, candidates); s != "" {
		return `did you mean "` + s + `"?`
	}
	return otherwise
}

// suggest returns the candidate that was probably meant by a word, or "".
func suggest(word string, candidates []string) string {
	near, plain := spelling.Nearest(word, candidates), spelling.Plain(word)
	alias := aliases[plain]
	if slices.Contains(candidates, alias) && (near == "" || spelling.Plain(near) != plain) {
		return alias
	}
	return near
}
