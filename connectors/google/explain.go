package google

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// Words for requests whose refusals mean something of their own.
const (
	opToken    = "get a token"
	opUser     = "get a user"
	opEvents   = "list events"
	opLicences = "list licence assignments"
)

// answerError is what Google says is wrong, in both forms in which it says so.
type answerError struct {
	status  int
	reasons []string
	message string
}

func (e *answerError) Error() string {
	text := fmt.Sprintf("%d %s", e.status, http.StatusText(e.status))
	if len(e.reasons) > 0 {
		text += ", " + strings.Join(e.reasons, ", ")
	}
	if e.message != "" {
		text += ": " + e.message
	}
	return text
}

func (e *answerError) is(reasons ...string) bool {
	for _, want := range reasons {
		for _, has := range e.reasons {
			if strings.EqualFold(has, want) {
				return true
			}
		}
	}
	return false
}

// parseAnswer reads an error document. The old form has a list of errors with reasons, the new one a status and
// details; either may come alone.
func parseAnswer(status int, body []byte) *answerError {
	var doc struct {
		Error struct {
			Message string `json:"message"`
			Status  string `json:"status"`
			Errors  []struct {
				Reason string `json:"reason"`
			} `json:"errors"`
			Details []struct {
				Reason string `json:"reason"`
			} `json:"details"`
		} `json:"error"`
	}
	e := &answerError{status: status}
	_ = json.Unmarshal(body, &doc) // what could be read is used, the status speaks for itself
	add := func(reason string) {
		if reason != "" && !e.is(reason) {
			e.reasons = append(e.reasons, quotable(reason))
		}
	}
	for _, one := range doc.Error.Errors {
		add(one.Reason)
	}
	for _, one := range doc.Error.Details {
		add(one.Reason)
	}
	if len(e.reasons) == 0 {
		add(doc.Error.Status)
	}
	e.message = quotable(doc.Error.Message)
	return e
}

// quotable lets short texts through that name nobody.
func quotable(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if strings.Contains(text, "@") || len(text) > 200 || !isPrintable(text) {
		return ""
	}
	return text
}

func isPrintable(text string) bool {
	for _, r := range text {
		if r < ' ' || r > '~' {
			return false
		}
	}
	return true
}

// explainer classifies answers. now gives the time from which the next day of a quota is reckoned.
type explainer struct{ now func() time.Time }

// explain implements rest.Options.Explain.
func (x explainer) explain(a *rest.Answer) *fault.Error {
	if a.Op == opToken {
		return explainToken(a)
	}
	e := parseAnswer(a.Status, a.Body)
	f := &fault.Error{After: rest.RetryAfter(a.Header, x.now()), Err: e}
	switch {
	case a.Status/100 == 5 && a.Status != http.StatusNotImplemented, a.Status == http.StatusRequestTimeout:
		f.Class = fault.Transient
	case e.is("dailyLimitExceeded", "dailyLimitExceededUnreg"):
		f.Class, f.After = fault.Throttled, x.nextDay()
		f.Hint = "the project's quota of the day is used up; raise it in the Google Cloud console, or read less often"
	case e.is("userRateLimitExceeded", "rateLimitExceeded", "RATE_LIMIT_EXCEEDED", "quotaExceeded", "RESOURCE_EXHAUSTED", "servingLimitExceeded"),
		a.Status == http.StatusTooManyRequests:
		f.Class = fault.Throttled
		f.Hint = "if it stays so, something else uses the same subject or project: lower share"
	case a.Status == http.StatusUnauthorized && a.Op == opEvents && strings.Contains(strings.ToLower(e.message), "not authorized"):
		// The Reports API refuses whoever lacks its privilege with 401, where the others of the Admin SDK say 403. The
		// token is good.
		f.Class, f.Hint = fault.Forbidden, "give the subject's role the privilege Reports, or set events: off"
	case a.Status == http.StatusUnauthorized:
		f.Class, f.Hint = fault.Auth, "the token is not taken: see that the service account and its key still exist"
	case a.Status == http.StatusForbidden:
		f.Class, f.Hint = fault.Forbidden, forbiddenHint(a.Op, e)
	case a.Status == http.StatusBadRequest:
		f.Class = fault.Invalid
	case e.is("conditionNotMet") && a.Op == opUser:
		// Deleted within the last twenty days, or not made to its end yet. Either way nobody is there: whether somebody
		// is gone for good, the list of the deleted says.
		f.Class = fault.Gone
	case e.is("conditionNotMet") && a.Op == opLicences:
		f.Class = fault.Invalid // waiting does not buy a product
	case e.is("conditionNotMet", "limitExceeded"):
		f.Class = fault.Conflict
	default:
		return nil
	}
	return f
}

func forbiddenHint(op string, e *answerError) string {
	reseller := op == opSubscriptions || op == opResold
	switch {
	case reseller && e.is("accessNotConfigured", "SERVICE_DISABLED"):
		return "switch on the Google Workspace Reseller API in the Google Cloud project of the key"
	case e.is("accessNotConfigured", "SERVICE_DISABLED"):
		return "switch on the Admin SDK API (and, for licences, the Enterprise License Manager API) in the Google Cloud project of the key"
	case e.is("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"):
		return "a scope is missing: `dirsyncd check --probe` names it; grant it under Security, API controls, Domain-wide delegation"
	case e.is("domainCannotUseApis"):
		return "the customer has switched off API access: Security, API controls in its Admin console"
	}
	if op == opLicences {
		return "give the subject's role the privilege License Management > Read"
	}
	if reseller {
		return "the subject must be an administrator of a Google reseller: remove reseller if the company is none"
	}
	return "the subject must be an administrator of this customer with the read privileges for users, groups and what else is read"
}

// nextDay is how long it is until quotas begin anew, at midnight in California.
func (x explainer) nextDay() time.Duration {
	zone, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		zone = time.FixedZone("", -8*60*60) // no time zone data here: the later of the two possible midnights
	}
	now := x.now().In(zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 1, 0, 0, zone)
	return midnight.Sub(now).Round(time.Second)
}

// tokenError is what the token service says is wrong.
type tokenError struct {
	status                     int
	code, description, subtype string
}

func (e *tokenError) Error() string {
	text := fmt.Sprintf("%d %s", e.status, http.StatusText(e.status))
	for _, part := range []string{e.code, e.subtype, e.description} {
		if part != "" {
			text += ", " + part
		}
	}
	return text
}

// explainToken classifies a refusal of the token service.
func explainToken(a *rest.Answer) *fault.Error {
	var doc struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Subtype     string `json:"error_subtype"`
	}
	if a.Status/100 == 5 || a.Status == http.StatusTooManyRequests || json.Unmarshal(a.Body, &doc) != nil {
		return nil
	}
	e := &tokenError{a.Status, quotable(doc.Error), quotable(doc.Description), quotable(doc.Subtype)}
	said := func(text string) bool {
		return strings.Contains(strings.ToLower(doc.Description), strings.ToLower(text))
	}
	f := &fault.Error{Class: fault.Auth, Err: e}
	switch {
	case doc.Error == "unauthorized_client", doc.Error == "access_denied":
		f.Class = fault.Forbidden
		f.Hint = "grant the scopes to the client under Security, API controls, Domain-wide delegation; a new grant can take a day"
	case doc.Error == "invalid_scope":
		f.Class, f.Hint = fault.Forbidden, "grant the scopes under Security, API controls, Domain-wide delegation"
	case doc.Error == "invalid_client":
		f.Hint = "the client does not exist any more, or its secret is another one: look in the Google Cloud console, under Credentials"
	case doc.Error == "internal_failure", doc.Error == "temporarily_unavailable":
		f.Class = fault.Transient
	case doc.Subtype == "invalid_rapt":
		f.Hint = "the customer's session length policy ended the consent: exempt the app as trusted, and consent again"
	case said("signature"):
		f.Hint = "the key was deleted or belongs to another service account: make a new key"
	case said("reasonable timeframe"), said("short-lived"), said("issued at"):
		f.Class, f.Hint = fault.Auth, "this machine's clock is wrong: set it by NTP"
	case said("email or user"), said("account has been deleted"), said("account not found"):
		f.Hint = "the subject is not a user of the customer, or was deleted: write an administrator's primary address"
	case said("expired or revoked"), said("revoked"):
		f.Hint = "the refresh token is dead (revoked, unused for half a year, or its app is still in testing): consent again"
	case said("disabled"), said("suspended"):
		f.Hint = "the service account or the subject is disabled: enable it, or name another"
	case doc.Error == "invalid_grant":
		f.Hint = "see that the subject is an active administrator, that the key still exists and that this machine's clock is right"
	default:
		f.Hint = "see that the credentials are those of this project"
	}
	return f
}

// scopeMissing reports whether an error says that something was not granted, as opposed to credentials that do
// not work at all.
func scopeMissing(err error) bool {
	var (
		token  *tokenError
		answer *answerError
	)
	switch {
	case errors.As(err, &token):
		return token.code == "unauthorized_client" || token.code == "invalid_scope" || token.code == "access_denied"
	case errors.As(err, &answer):
		return fault.ClassOf(err) == fault.Forbidden
	}
	return false
}

// aboutOne reports whether an error is about the one thing that was asked for, as far as an answer can tell: not about
// a scope, a switched-off API or a moment.
func aboutOne(err error) bool {
	var answer *answerError
	if errors.Is(err, errUnreadable) {
		return true
	}
	if !errors.As(err, &answer) || answer.is("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "accessNotConfigured", "SERVICE_DISABLED") {
		return false
	}
	switch fault.ClassOf(err) {
	case fault.Forbidden, fault.Invalid, fault.Gone:
		return true
	default:
		return false
	}
}

// errUnreadable is in the errors about one group whose list of members cannot be taken for one.
var errUnreadable = errors.New("the list of members cannot be read")

// statusOf is the status of Google's answer behind an error, or 0.
func statusOf(err error) int {
	var answer *answerError
	if errors.As(err, &answer) {
		return answer.status
	}
	return 0
}

// gone reports whether Google says that what was asked for is not there.
func gone(err error) bool { return fault.ClassOf(err) == fault.Gone }
