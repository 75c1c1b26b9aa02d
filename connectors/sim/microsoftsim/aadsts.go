package microsoftsim

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// refusal names the sign-ins that RefuseTokens refuses.
type refusal struct{ tenant, client string }

// RefuseTokens makes the token endpoint answer a sign-in with a code, such as 65001 for AADSTS65001; zero lifts
// that. An empty tenant or client means any.
func (s *Server) RefuseTokens(tenant, client string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := refusal{tenant, client}
	if code == 0 {
		delete(s.refused, key)
		return
	}
	s.refused[key] = code
}

func (s *Server) refusedCode(tenant, client string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []refusal{{tenant, client}, {tenant, ""}, {"", client}, {"", ""}} {
		if code := s.refused[key]; code != 0 {
			return code
		}
	}
	return 0
}

// aadsts returns how the token endpoint words a code.
func aadsts(code int) (status int, kind, message string) {
	switch code {
	case 7000215:
		return http.StatusUnauthorized, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value."
	case 7000222:
		return http.StatusUnauthorized, "invalid_client", "The provided client secret keys for the app are expired."
	case 700027:
		return http.StatusUnauthorized, "invalid_client", "The certificate with identifier used to sign the client assertion is not registered on application."
	case 50012:
		return http.StatusUnauthorized, "invalid_client", "Authentication failed."
	case 700213:
		return http.StatusUnauthorized, "invalid_client", "No matching federated identity record found for presented assertion subject."
	case 700016, 700011:
		return http.StatusBadRequest, "unauthorized_client", "Application was not found in the directory."
	case 65001:
		return http.StatusBadRequest, "invalid_grant", "The user or administrator has not consented to use the application."
	case 90099:
		return http.StatusBadRequest, "invalid_grant", "The application has not been authorized in the tenant. Applications must be authorized to access the customer tenant before partner delegated administrators can use them."
	case 650051, 650052, 650056:
		return http.StatusBadRequest, "invalid_client", "The app is not configured in the organization."
	case 500011:
		return http.StatusBadRequest, "invalid_resource", "The resource principal was not found in the tenant."
	case 90002, 5000224, 900023:
		return http.StatusBadRequest, "invalid_request", "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
	case 90038, 900382, 900432:
		return http.StatusBadRequest, "invalid_request", "Confidential Client is not supported in Cross Cloud request."
	case 9001023:
		return http.StatusBadRequest, "invalid_request", "The grant type is not supported over the /common or /consumers endpoints."
	case 70011:
		return http.StatusBadRequest, "invalid_scope", "The provided value for the input parameter 'scope' is not valid."
	case 50076, 50079:
		return http.StatusBadRequest, "interaction_required", "You must use multi-factor authentication to access the resource."
	case 50196:
		return http.StatusBadRequest, "invalid_grant", "The server terminated an operation because it encountered a client request loop."
	case 90055:
		return http.StatusTooManyRequests, "temporarily_unavailable", "Server is terminating the request because the tenant is throttled."
	case 90006, 90024, 90033, 90090:
		return http.StatusServiceUnavailable, "temporarily_unavailable", "A transient error occurred. Please try again."
	case 700082:
		return http.StatusBadRequest, "invalid_grant", "The refresh token has expired due to inactivity."
	case 70000, 70008, 70043:
		return http.StatusBadRequest, "invalid_grant", "The refresh token is expired, revoked or malformed."
	default: // 50020, 50177, 53003, 530032, 530034 and others
		return http.StatusBadRequest, "invalid_grant", "Access is refused."
	}
}

// fail answers with the token endpoint's error document.
func (x *exchange) fail(code int) {
	status, kind, message := aadsts(code)
	now := x.s.o.Now().UTC().Format("2006-01-02 15:04:05Z")
	trace, correlation := newGUID(), newGUID()
	body, _ := json.Marshal(map[string]any{ // plain data
		"error": kind,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
			code, message, trace, correlation, now),
		"error_codes": []int{code}, "timestamp": now, "trace_id": trace, "correlation_id": correlation,
		"error_uri": fmt.Sprintf("%s/error?code=%d", x.s.URL(), code),
	})
	x.out.Set("Content-Type", "application/json; charset=utf-8")
	x.answer(status, body)
}
