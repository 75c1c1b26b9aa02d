package csp

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/entra"
	"dirsyncd/sync/fault"
)

// signInCode finds the code of the token endpoint in an error's text, where package entra puts it.
var signInCode = regexp.MustCompile(`AADSTS(\d+)`)

func codeOf(err error) int {
	if err == nil {
		return 0
	}
	m := signInCode.FindStringSubmatch(err.Error())
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // digits, and too many of them are no code
	return n
}

// explain says whose customer cannot be read, and who must do what. What is an error of the configuration where there
// is one tenant is one tenant's trouble here.
func (c *Connector) explain(t connectors.Tenant, op string, f *fault.Error) error {
	e := *f
	e.Op = op
	e.Where = customerWord(t)
	if f.Where != "" && !strings.Contains(f.Where, t.ID) {
		e.Where += ", " + f.Where
	}
	// What the partner's own side refuses is nothing that a customer can mend.
	if hint, found := c.hint(t.ID, f); found && !isSource(f) {
		e.Class, e.Hint = fault.Auth, hint
		if f.Class == fault.Forbidden {
			e.Class = fault.Forbidden
		}
	}
	return &e
}

// customerWord names a customer for the operator.
func customerWord(t connectors.Tenant) string {
	if t.Name == "" || t.Name == t.ID {
		return t.ID
	}
	return fmt.Sprintf("%s (%s)", t.Name, t.ID)
}

// hint says what to do about a customer that cannot be read, when something that only partners know of helps.
func (c *Connector) hint(id string, f *fault.Error) (string, bool) {
	delegated := c.cfg.CustomerAccess == accessDelegated
	switch code := codeOf(f.Err); code {
	case 500011, 500014:
		return c.consentHint(id), true
	case 50020, 50177, 50178, 90072, 500341, 500571, 50089:
		return c.accessHint(id), true
	case 90002, 900023, 5000224, 900021:
		return "the customer's directory is gone: end the relationship in Partner Center, or write its id under exclude", true
	case 90038, 900382, 900432, 900384, 90051:
		return "the customer's directory lives in another of Microsoft's clouds: read it with a connection of its own, and write its id under exclude here", true
	case 53003, 530032, 530034, 530035, 53000, 53001:
		return "an administrator of the customer must let the application through in the Conditional Access policies", true
	case 50076, 50079, 50074, 50072, 50158:
		return "the customer wants multi-factor authentication that the stored sign-in lacks: the partner's user must sign in again with a second factor", true
	case 0:
	default:
		return c.consentHint(id), slices.Contains(entra.Unconsented(), code)
	}
	switch {
	case f.Class == fault.Forbidden && delegated:
		return c.accessHint(id) + "; roles needed: Directory Readers, and Intune Administrator or Global Reader for devices", true
	case f.Class == fault.Forbidden:
		return f.Hint + "; " + c.consentHint(id), true
	case f.Class == fault.Auth && strings.Contains(f.Error(), "Authorization_IdentityNotFound"):
		return c.consentHint(id), true
	default:
		return "", false
	}
}

// consentHint says how a customer consents.
func (c *Connector) consentHint(id string) string {
	if c.cfg.CustomerAccess == accessDelegated {
		return fmt.Sprintf("consent for this customer through Partner Center: POST /v1/customers/%s/applicationconsents with the partner application's id and the Graph permissions", id)
	}
	return fmt.Sprintf("an administrator of the customer must consent once: %s/%s/adminconsent?client_id=%s", c.authority, id, c.customerApp().ClientID)
}

// accessHint says how access by GDAP stands.
func (c *Connector) accessHint(id string) string {
	text := "the partner's user has no access: request a GDAP relationship with the customer, and give the user's security group a role in it"
	known := c.clients.about(strings.ToLower(id))
	if known == nil {
		return text
	}
	switch known.gdap {
	case "":
		return "there is no GDAP relationship with the customer: request one in Partner Center, and give the user's security group a role in it"
	case "active", "expiring":
		return "give the security group of the partner's user a role in the GDAP relationship with the customer"
	default:
		when := ""
		if !known.ends.IsZero() {
			when = " since " + known.ends.Format(time.DateOnly)
		}
		return fmt.Sprintf("the GDAP relationship with the customer is %s%s: request a new one in Partner Center", cmp.Or(known.gdap, "gone"), when)
	}
}
