package entra

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// tokenError is a refusal of the token endpoint. Its text is made of codes: the service's own description can
// name accounts.
type tokenError struct {
	Status int
	Word   string // OAuth 2.0's error, such as invalid_client
	Code   int    // the number after AADSTS; 0 when there was none
	ID     string // what Microsoft's support asks for
	Means  string
}

func (e *tokenError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, cmp.Or(e.Word, http.StatusText(e.Status)))
	if e.Code != 0 {
		text = fmt.Sprintf("AADSTS%d", e.Code)
	}
	if e.Means != "" {
		text += ": " + e.Means
	}
	if e.ID != "" {
		text += ", correlation id " + e.ID
	}
	return text
}

// verdict is what a code of the token endpoint means for the operator.
type verdict struct {
	class fault.Class
	means string
	hint  string
	after time.Duration
}

// Hints that several codes share.
const (
	hintSecret  = "make a new client secret under Certificates & secrets of the app registration, and put its value (not its id) into client_secret"
	hintConsent = "an administrator of the tenant must grant admin consent to the application, under API permissions of the app registration or Permissions of the enterprise application"
	hintInstall = "look at tenant and client_id; the application must be registered in that tenant, or consented to there by an administrator"
	hintCloud   = "look at cloud, authority and graph: the tenant lives in another of Microsoft's clouds"
	hintAgain   = "somebody must sign in again to renew the stored refresh token"
	hintTenant  = "correct tenant: write the directory's GUID or one of its verified domains; a deleted tenant must be taken out of the configuration"
	hintPolicy  = "an administrator of the tenant must let this application through: look at the Conditional Access policies for workload identities and at the sign-in log"
	hintProxy   = "a proxy on the way adds the header Restrict-Access-To-Tenants (tenant restrictions): let this tenant be added there, or sign-ins from this machine pass without it"
	hintPartner = "the partner's access to this customer must be renewed: look at the GDAP relationship and at the security group of the user who signed in"
)

// consentPause is how long what nobody has consented to is left alone. Asking again locks no account, and somebody may
// consent at any time.
const consentPause = time.Hour

// Unconsented lists the codes that say that the application has not been let into a tenant: it is not known there, has
// no service principal, or lacks an administrator's consent.
func Unconsented() []int {
	return []int{700016, 700011, 7000229, 65001, 650051, 650052, 650054, 650056, 650057, 90099}
}

// verdicts says what the codes mean ("Microsoft Entra authentication and authorization error codes"). Microsoft may
// change them; what is not listed is judged by the OAuth word.
func verdicts(code int) (verdict, bool) {
	switch code {
	case 7000215:
		return verdict{fault.Auth, "the client secret is wrong", hintSecret, 0}, true
	case 7000222:
		return verdict{fault.Auth, "the client secret has expired", hintSecret, 0}, true
	case 7000216:
		return verdict{fault.Auth, "a client secret or certificate is needed", hintSecret, 0}, true
	case 7000112:
		return verdict{fault.Auth, "the application is disabled", "an administrator must enable the enterprise application for sign-in", 0}, true
	case 700027:
		return verdict{fault.Auth, "the certificate is not one of the application's, or its signature is not valid",
			"upload the certificate to the app registration; after an upload it takes some minutes until it is known everywhere", 0}, true
	case 50012, 700023, 700024, 700030:
		return verdict{fault.Auth, "the signed statement of the application is not valid",
			"look at the certificate's dates and at this machine's clock; for federated_token_file at issuer, subject and audience of the federated credential", 0}, true
	case 70021, 700211, 700212, 700213:
		return verdict{fault.Auth, "no federated credential of the application matches the token",
			"compare issuer, subject and audience of the federated credential with those in federated_token_file", 0}, true
	case 700016, 700011:
		return verdict{fault.Auth, "the application is not known in this tenant", hintInstall, consentPause}, true
	case 7000229:
		return verdict{fault.Auth, "the application has no service principal in this tenant", hintConsent, consentPause}, true
	case 65001, 650051, 650052, 650054, 650056, 650057:
		return verdict{fault.Auth, "nobody has consented to the application in this tenant", hintConsent, consentPause}, true
	case 90099:
		return verdict{fault.Auth, "the application is not authorised in the customer's tenant",
			"the customer's administrator must consent, or the partner must consent for it through Partner Center", consentPause}, true
	case 500021, 500022:
		return verdict{fault.Auth, "tenant restrictions keep this network out of the tenant", hintProxy, 0}, true
	case 500011, 500014, 90010, 901002:
		return verdict{fault.Configuration, "the service that the token is for is not known or disabled in this tenant", "look at graph and cloud", 0}, true
	case 90002, 900023, 5000224, 900021:
		return verdict{fault.Configuration, "there is no such tenant", hintTenant, 0}, true
	case 9001023, 50194:
		return verdict{fault.Configuration, "the application cannot sign in to a tenant named common or organizations", hintTenant, 0}, true
	case 90038, 900382, 900432, 900384, 90051:
		return verdict{fault.Configuration, "the tenant lives in another cloud", hintCloud, 0}, true
	case 50020, 50177, 50178, 90072:
		return verdict{fault.Auth, "the partner's user is not known in this tenant", hintPartner, 0}, true
	case 500341, 500571, 50089:
		return verdict{fault.Auth, "the partner's user was deleted or disabled in this tenant, or its session there has ended", hintPartner, 0}, true
	case 50076, 50079, 50074, 50072, 50158:
		return verdict{fault.Auth, "multi-factor authentication is needed", hintAgain + ", with the second factor", 0}, true
	case 53003, 530032, 530034, 53000, 53001, 530035:
		return verdict{fault.Auth, "a policy of the tenant blocks the sign-in", hintPolicy, 0}, true
	case 700082, 70000, 70008, 70043, 50173, 54005:
		return verdict{fault.Auth, "the refresh token has expired or was withdrawn", hintAgain, 0}, true
	case 50057, 50053, 50055, 50034:
		return verdict{fault.Auth, "the account is disabled, locked or gone", "an administrator must look at the account that signs in", 0}, true
	case 7000218, 700025:
		return verdict{fault.Configuration, "the application is registered as a public client",
			"register it as a confidential client, with a secret or certificate", 0}, true
	case 50196:
		return verdict{fault.Throttled, "the same token was asked for too often", "", 5 * time.Minute}, true
	case 90055, 50133:
		return verdict{fault.Throttled, "the tenant's sign-ins are throttled", "", 0}, true
	case 90006, 90024, 90033, 90090, 90013, 90014, 50097:
		return verdict{fault.Transient, "the sign-in service failed for a moment", "", 0}, true
	default:
		return verdict{}, false
	}
}

// explainToken classifies what the token endpoint refuses.
func explainToken(a *rest.Answer) *fault.Error {
	var doc struct {
		Error       string `json:"error"`
		Codes       []int  `json:"error_codes"`
		Correlation string `json:"correlation_id"`
	}
	if json.Unmarshal(a.Body, &doc) != nil || doc.Error == "" {
		return nil
	}
	e := &tokenError{Status: a.Status, Word: word(doc.Error), ID: word(doc.Correlation)}
	if len(doc.Codes) > 0 {
		e.Code = doc.Codes[0]
	}
	f := &fault.Error{Op: opSignIn, After: rest.RetryAfter(a.Header, time.Now()), Err: e}
	if v, ok := verdicts(e.Code); ok {
		e.Means = v.means
		f.Class, f.Hint, f.After = v.class, v.hint, cmp.Or(f.After, v.after)
		return f
	}
	switch {
	case a.Status == http.StatusTooManyRequests:
		f.Class = fault.Throttled
	case a.Status >= 500, doc.Error == "temporarily_unavailable", doc.Error == "server_error":
		f.Class = fault.Transient
	case doc.Error == "invalid_client":
		f.Class, f.Hint = fault.Auth, "look at client_id and at the secret or certificate of the application"
	case doc.Error == "unauthorized_client":
		f.Class, f.Hint = fault.Auth, hintInstall
	case doc.Error == "invalid_grant", doc.Error == "interaction_required", doc.Error == "consent_required":
		f.Class, f.Hint = fault.Auth, hintConsent
		if doc.Error == "consent_required" {
			f.After = consentPause
		}
	case doc.Error == "access_denied":
		f.Class, f.Hint = fault.Auth, hintPolicy
	case doc.Error == "invalid_scope", doc.Error == "invalid_resource", doc.Error == "invalid_target":
		f.Class, f.Hint = fault.Configuration, "look at graph and cloud"
	default:
		f.Class, f.Hint = fault.Auth, "look the number up in Microsoft's list of AADSTS codes, and the sign-in log of the tenant"
	}
	return f
}

// word returns a short text of the service's when it is a code or an id, and "" when it could be anything else.
func word(s string) string {
	if len(s) > 80 {
		return ""
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.' {
			return ""
		}
	}
	return s
}
