package microsoftsim

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxBody is more than any request to this server needs.
const maxBody = 4 << 20

// graphBody reads the request's body, which the SDKs pack.
func (x *exchange) graphBody() ([]byte, bool) {
	body := io.Reader(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	if x.r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			x.refuse(http.StatusBadRequest, "BadRequest", "The body is not gzip.")
			return nil, false
		}
		body = io.LimitReader(unpacked, maxBody)
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		x.refuse(http.StatusBadRequest, "BadRequest", "The body cannot be read.")
		return nil, false
	}
	return raw, true
}

// graph answers a request to Graph.
func (s *Server) graph(x *exchange) {
	switch {
	case x.claims == nil:
		x.out.Set("WWW-Authenticate", `Bearer realm="", authorization_uri="`+s.URL()+`/common/oauth2/authorize"`)
		x.refuse(http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token is empty, has expired or is not valid.")
		return
	case !isGraphAudience(x.claims.Audience, s.URL()):
		x.refuse(http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
		return
	case x.tenant == nil || x.tenant.isGone():
		x.refuse(http.StatusUnauthorized, "Authorization_IdentityNotFound", "The identity of the calling application could not be established.")
		return
	}
	if _, ok := x.tenant.granted(x.claims.App); !ok {
		x.refuse(http.StatusUnauthorized, "Authorization_IdentityNotFound", "The identity of the calling application could not be established.")
		return
	}
	if !x.withinBudget() {
		return
	}
	x.route()
}

// route calls the resource of the path. Parameters in parentheses at the end of a segment are cut off.
func (x *exchange) route() {
	path := strings.TrimSuffix(x.path, "()")
	parts := strings.Split(path, "/")
	last := parts[len(parts)-1]
	if len(parts) == 2 && (last == "delta" || last == "microsoft.graph.delta") {
		if res, ok := resourceNamed(parts[0]); ok {
			x.delta(res)
			return
		}
	}
	switch {
	case path == "$batch":
		x.batch()
	case path == "organization":
		x.organization()
	case path == "subscribedSkus":
		x.subscribedSKUs()
	case path == "directory/subscriptions":
		x.companySubscriptions()
	case path == "deviceManagement/managedDevices":
		x.managedDevices()
	case len(parts) == 3 && parts[0] == "deviceManagement" && parts[1] == "managedDevices":
		x.oneManagedDevice(last)
	case path == "contracts" || parts[0] == "tenantRelationships":
		x.relationships(path)
	case parts[0] == "subscriptions":
		x.subscriptions(parts)
	case len(parts) == 3 && parts[0] == "directory" && parts[1] == "deletedItems":
		x.deletedItems(last)
	default:
		res, ok := resourceNamed(parts[0])
		if !ok || len(parts) > 4 {
			x.refuse(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '"+parts[0]+"'.")
			return
		}
		x.directoryObjects(res, parts[1:])
	}
}

func resourceNamed(name string) (resource, bool) {
	for r := range resources {
		if r.String() == name {
			return r, true
		}
	}
	return 0, false
}

// permissions are the names of which one must be granted to read a resource.
func permissions(res resource) []string {
	switch res {
	case users:
		return []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All"}
	case groups:
		return []string{"GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"}
	default:
		return []string{"Device.Read.All", "Directory.Read.All"}
	}
}

// allow reports whether the token and the tenant grant one of the permissions, and refuses the request otherwise.
func (x *exchange) allow(anyOf ...string) bool {
	if x.may(anyOf...) {
		return true
	}
	x.refuse(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
	return false
}

func (x *exchange) may(anyOf ...string) bool {
	granted, _ := x.tenant.granted(x.claims.App)
	now, then := granted.roles, x.claims.Roles
	if x.claims.User != "" {
		now, then = granted.scopes, strings.Fields(x.claims.Scopes)
	}
	return slices.ContainsFunc(anyOf, func(p string) bool { return slices.Contains(now, p) && slices.Contains(then, p) })
}

// refuse answers with Graph's error document.
func (x *exchange) refuse(status int, code, message string) {
	body, _ := json.Marshal(map[string]any{"error": map[string]any{
		"code": code, "message": message,
		"innerError": map[string]any{"date": x.s.o.Now().UTC().Format("2006-01-02T15:04:05"), "request-id": newGUID(), "client-request-id": newGUID()},
	}})
	x.answer(status, body)
}

// challenge is the header by which the service asks for a token with more claims (continuous access evaluation).
func challenge() string {
	claims := base64.StdEncoding.EncodeToString([]byte(`{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}`))
	return `Bearer realm="", error="insufficient_claims", claims="` + claims + `"`
}

// writer collects a JSON document.
type writer struct {
	bytes.Buffer
	more bool
}

// item begins the next element of the list that is being written.
func (w *writer) item() {
	if w.more {
		w.WriteByte(',')
	}
	w.more = true
}

// key writes a name and a value that is JSON already, with a comma before it unless it is the first.
func (w *writer) key(first *bool, name, raw string) {
	if !*first {
		w.WriteByte(',')
	}
	*first = false
	w.WriteByte('"')
	w.WriteString(name)
	w.WriteString(`":`)
	w.WriteString(raw)
}

func (x *exchange) begin(w *writer, set string) {
	w.WriteString(`{"@odata.context":"` + x.s.URL() + `/v1.0/$metadata#` + set + `"`)
}

// text spells any text in JSON.
func text(s string) string {
	raw, _ := json.Marshal(s) // a text always can be
	return string(raw)
}
