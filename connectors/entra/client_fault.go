package entra

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// graphError is a refusal of Graph. It keeps codes and never the service's message, which can name people.
type graphError struct {
	Status int
	Codes  []string // the outer code first, as the service spelled them
	ID     string   // request-id, which Microsoft's support asks for
	Means  string

	untracked bool   // the tenant has no change tracking
	absent    bool   // the tenant has no Intune
	challenge string // claims that a new token must satisfy
}

func (e *graphError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if len(e.Codes) > 0 {
		text = fmt.Sprintf("%d %s", e.Status, e.Codes[0])
	}
	if e.Means != "" {
		text += ": " + e.Means
	}
	if e.ID != "" {
		text += ", request id " + e.ID
	}
	return text
}

func (e *graphError) has(codes ...string) bool {
	return slices.ContainsFunc(e.Codes, func(c string) bool {
		return slices.ContainsFunc(codes, func(want string) bool { return strings.EqualFold(c, want) })
	})
}

// refusesLink reports whether the refusal can be that of a link which the service no longer understands.
func (e *graphError) refusesLink() bool {
	return !e.untracked && (e.Status == http.StatusBadRequest || e.Status == http.StatusNotFound || e.Status == http.StatusGone)
}

func asGraph(err error) (*graphError, bool) {
	var e *graphError
	ok := errors.As(err, &e)
	return e, ok
}

// FeatureAbsent reports whether an error says that the tenant does not have Intune.
func FeatureAbsent(err error) bool {
	e, ok := asGraph(err)
	return ok && e.absent
}

// untracked reports whether an error says that the tenant does not track changes.
func untracked(err error) bool {
	e, ok := asGraph(err)
	return ok && e.untracked
}

// everywhere lists properties that no directory of an organisation lacks.
func everywhere() []string {
	return []string{"id", "displayName", "userPrincipalName", "mail", "givenName", "surname", "accountEnabled", "userType"}
}

// unknownProperty finds the name of a property in the service's complaint that there is none.
var unknownProperty = regexp.MustCompile(`property named '([A-Za-z0-9_]+)'`)

// explainGraph classifies what Graph refuses ("Microsoft Graph error responses and resource types").
func explainGraph(a *rest.Answer) *fault.Error {
	e := &graphError{Status: a.Status, ID: word(a.Header.Get("Request-Id"))}
	message := e.read(a.Body)
	f := rest.Classify(a)
	f.Err = e
	switch {
	case a.Status == http.StatusGone, e.expired():
		f.Class, e.Means = fault.CursorExpired, "the link has expired"
	case e.noDelta(message):
		f.Class, e.untracked = fault.Configuration, true
		e.Means = "the tenant does not track changes"
		f.Hint = "set tenant_type: b2c or external"
	case a.Status == http.StatusUnauthorized:
		e.unauthorized(f, a.Header)
	case strings.Contains(a.Op, "managedDevices") && noIntune(a.Status, message):
		f.Class, e.absent = fault.Configuration, true
		e.Means = "the tenant has no Intune"
		f.Hint = "set devices: false, or get an Intune licence"
	case a.Status == http.StatusForbidden:
		e.forbidden(f, a.Op, message)
	case a.Status == http.StatusNotImplemented:
		f.Class, e.Means = fault.Configuration, "a property cannot be read for many users at once"
		f.Hint = "remove from attributes what is kept outside the directory, such as skills or mySite"
	case a.Status == http.StatusNotFound && e.has("UnknownError") && !strings.HasSuffix(a.Op, "/delta"):
		// Not a word about the resource: the service's front answers so when what is behind it did not. A link of
		// changes that is refused is another matter (asExpired).
		f.Class, e.Means = fault.Transient, "the service does not know what went wrong"
	case a.Status == http.StatusNotFound && !strings.Contains(a.Op, "{id}"):
		f.Class, e.Means = fault.Configuration, "there is no such list at this address"
		f.Hint = "look at graph"
	case a.Status == http.StatusBadRequest:
		if m := unknownProperty.FindStringSubmatch(message); m != nil {
			f.Class, e.Means = fault.Configuration, "there is no property "+m[1]
			f.Hint = "correct attributes"
			if slices.Contains(everywhere(), m[1]) {
				f.Hint = "every work directory has it: the tenant is of another kind, such as a consumer directory, which cannot be read; look at tenant and tenant_type"
			}
		} else if strings.Contains(a.Op, "users") {
			f.Hint = "the service does not take the request as it is made: try it with fewer attributes, or with manager: false"
		}
	}
	if strings.HasSuffix(a.Op, "/photo") {
		e.photo(f)
	}
	return f
}

// photo adds to what is known of a refusal that it was a photo that was asked for.
func (e *graphError) photo(f *fault.Error) {
	const without = "set photos: false"
	switch {
	case e.Status == http.StatusNotImplemented:
		e.Means, f.Hint = "the tenant has no photos", without
	case f.Class == fault.Forbidden:
		f.Hint += ", or " + without
	case f.Class == fault.Invalid:
		f.Hint = ""
	}
}

// read takes the codes out of an error document and returns its message.
func (e *graphError) read(body []byte) (message string) {
	type document struct {
		Code    string          `json:"code"`
		Message string          `json:"message"`
		ID      string          `json:"request-id"` // within a batch no header has it
		Inner   json.RawMessage `json:"innerError"` // also innererror: names are matched without regard to case
	}
	var outer struct {
		Error document `json:"error"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return ""
	}
	message = outer.Error.Message
	d := outer.Error
	for range 5 {
		if code := word(d.Code); code != "" {
			e.Codes = append(e.Codes, code)
		}
		var inner document
		if len(d.Inner) == 0 || json.Unmarshal(d.Inner, &inner) != nil {
			break
		}
		message = cmp.Or(message, inner.Message)
		e.ID = cmp.Or(e.ID, word(inner.ID))
		d = inner
	}
	return message
}

// expired reports whether the service has let go of what a link refers to.
func (e *graphError) expired() bool {
	if e.Status != http.StatusBadRequest && e.Status != http.StatusNotFound {
		return false
	}
	return e.has("syncStateNotFound", "syncStateInvalid", "Directory_ExpiredPageToken", "resyncRequired", "resyncApplyDifferences", "resyncUploadDifferences")
}

// noDelta recognises a tenant of a kind that has no change tracking, in the two ways that were seen.
func (e *graphError) noDelta(message string) bool {
	if e.Status != http.StatusBadRequest {
		return false
	}
	return e.has("Request_UnsupportedQuery") && strings.Contains(message, "Change enumeration") ||
		strings.Contains(message, "Delta query is not supported")
}

// noIntune recognises a tenant that never had Intune; the service has several ways to say it.
func noIntune(status int, message string) bool {
	return (status == http.StatusBadRequest || status == http.StatusForbidden || status >= 500) &&
		(strings.Contains(message, "not applicable to target tenant") || strings.Contains(message, "Tenant is not onboarded"))
}

// unauthorized explains a token that is not taken.
func (e *graphError) unauthorized(f *fault.Error, h http.Header) {
	f.Class = fault.Auth
	f.Hint = "look at tenant, client_id and graph: the token and the address must belong to the same cloud"
	e.challenge = claimsOf(h)
	switch {
	case e.challenge != "":
		e.Means = "the token was withdrawn"
		f.Hint = hintPolicy
	case e.has("Authorization_IdentityNotFound"):
		e.Means = "the application is not known in this tenant"
		f.Hint = hintInstall
	}
}

// claimsOf reads the claims of a challenge (continuous access evaluation). They come in base64, of which both
// alphabets are in use, with or without padding.
func claimsOf(h http.Header) string {
	for _, challenge := range h.Values("WWW-Authenticate") {
		_, rest, ok := strings.Cut(challenge, `claims="`)
		if !ok || !strings.Contains(challenge, "insufficient_claims") {
			continue
		}
		text, _, _ := strings.Cut(rest, `"`)
		text = strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(text)
		if claims, err := base64.RawStdEncoding.DecodeString(text); err == nil && json.Valid(claims) {
			return string(claims)
		}
	}
	return ""
}

// forbidden names the permission that is missing.
func (e *graphError) forbidden(f *fault.Error, op, message string) {
	if e.has("Authentication_RequestFromNonPremiumTenantOrB2CTenant") || strings.Contains(message, "premium license") {
		f.Class, e.Means = fault.Configuration, "the sign-in activity needs a premium licence in the tenant"
		f.Hint = "set sign_in_activity: false"
		return
	}
	e.Means = "a permission is missing"
	names := strings.Join(permissionFor(op), " or ")
	f.Hint = "grant the application permission " + names + " to the application, with admin consent"
	if names == "" {
		f.Hint = hintConsent
	}
}

// refusedThough looks at a refusal that speaks of a missing permission, and says so when the token holds it: then granting
// it once more is no help.
func refusedThough(token string, err error) error {
	g, ok := asGraph(err)
	var f *fault.Error
	if !ok || !errors.As(err, &f) || f.Class != fault.Forbidden {
		return err
	}
	claims, _ := readClaims(token)
	needed, granted := permissionFor(f.Op), claims.granted()
	i := slices.IndexFunc(needed, func(name string) bool { return slices.Contains(granted, name) })
	if i < 0 {
		return err
	}
	e := *f
	g.Means, e.Hint = "the service refuses a permission that the token holds", heldHint(needed[i])
	return &e
}

// heldHint is for a permission that the token holds and the service refuses.
func heldHint(permission string) string {
	return "the token holds " + permission + " and the service refuses it: it was taken away, a role of who signs in has run out, or a policy of the tenant stands against it"
}

// permissionFor lists the permissions of which one lets a request through, the least first.
func permissionFor(op string) []string {
	switch {
	case strings.Contains(op, "signInActivity"):
		return signInPermissions()
	case strings.HasSuffix(op, "/photo"):
		return photoPermissions()
	case strings.Contains(op, "users"):
		return userPermissions()
	case strings.Contains(op, "groups"):
		return groupPermissions()
	case strings.Contains(op, "subscribedSkus"):
		return licencePermissions()
	case strings.Contains(op, "managedDevices"):
		return devicePermissions()
	default:
		return nil
	}
}

func userPermissions() []string { return []string{"User.Read.All", "Directory.Read.All"} }
func groupPermissions() []string {
	return []string{"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"}
}

// photoPermissions: Directory.Read.All, which is enough for people, is not for photos.
func photoPermissions() []string  { return []string{"ProfilePhoto.Read.All", "User.Read.All"} }
func signInPermissions() []string { return []string{"AuditLog.Read.All"} }
func leavePermissions() []string {
	return []string{"User-LifeCycleInfo.Read.All", "User-LifeCycleInfo.ReadWrite.All"}
}

func devicePermissions() []string { return []string{"DeviceManagementManagedDevices.Read.All"} }
func licencePermissions() []string {
	return []string{"LicenseAssignment.Read.All", "Organization.Read.All", "Directory.Read.All"}
}
