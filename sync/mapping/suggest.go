package mapping

import (
	"slices"
	"strings"
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

// suggest returns the candidate that was probably meant by a word, or "".
func suggest(word string, candidates []string) string {
	flat := flatten(word)
	best, distance := "", max(1, min(3, (len(flat)+1)/3))+1
	for _, c := range candidates {
		if flatten(c) == flat {
			return c
		}
		if d := editDistance(flat, flatten(c)); d < distance {
			best, distance = c, d
		}
	}
	if alias := aliases[flat]; alias != "" && slices.Contains(candidates, alias) {
		return alias
	}
	return best
}

// didYouMean renders a suggestion as a hint, or returns the other hint when there is none.
func didYouMean(word string, candidates []string, otherwise string) string {
	if s := suggest(word, candidates); s != "" {
		return `did you mean "` + s + `"?`
	}
	return otherwise
}

// flatten takes the spelling out of a word: givenName, given_name and given-name are the same.
func flatten(word string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(word))
}

// editDistance is the number of letters to insert, remove or replace (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
