package okta

import (
	"net/url"
	"strings"

	"dirsyncd/sync/rest"
)

// orgAddress returns an org's address as scheme and host alone, or what is wrong with the text. The SDK puts
// paths behind whatever it is given: a trailing slash or path would make every request a wrong one.
func orgAddress(text string) (address, problem, hint string) {
	const usual = "write the org's own address, such as https://example.okta.com"
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case text == "":
		return "", "must not be empty", usual
	case err != nil || u.Host == "" || u.Hostname() == "":
		return "", "not an address", usual
	case strings.ContainsAny(u.Host, "{}"):
		return "", "is a placeholder", usual
	case u.User != nil:
		return "", "holds a user name", "give the credentials as token, or as client_id and private_key"
	case u.RawQuery != "" || u.Fragment != "":
		return "", "holds more than scheme and host", usual
	case strings.Trim(u.Path, "/") != "":
		return "", "holds a path", "write only https://" + u.Host + "; the API's path is added"
	case u.Scheme != "https" && (u.Scheme != "http" || !rest.Loopback(u.Hostname())):
		return "", "must begin with https://", "credentials are not sent in the clear, except to this very machine"
	}
	host := strings.ToLower(u.Host)
	name, rest, _ := strings.Cut(host, ".")
	if org, ok := strings.CutSuffix(name, "-admin"); ok && strings.HasPrefix(rest, "okta") {
		return "", "is the address of the admin console", "write https://" + org + "." + rest
	}
	if strings.HasSuffix(u.Hostname(), ".com.com") {
		return "", "ends in .com twice", usual
	}
	return u.Scheme + "://" + host, "", ""
}
