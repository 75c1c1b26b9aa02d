package google

import (
	"context"
	"io"
	"net/http"
	"strings"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
)

// authorised puts a token on every request. A token that is refused is replaced once.
type authorised struct {
	tokens *tokens.Cache
	base   http.RoundTripper
}

func (a *authorised) RoundTrip(req *http.Request) (*http.Response, error) {
	for again := false; ; again = true {
		token, err := a.tokens.Get(req.Context(), "")
		if err != nil {
			return nil, err
		}
		bearing := req.Clone(req.Context())
		bearing.Header.Set("Authorization", "Bearer "+token)
		resp, err := a.base.RoundTrip(bearing)
		if err == nil || again || fault.ClassOf(err) != fault.Auth {
			return resp, err
		}
		a.tokens.Drop(token)
	}
}

// bodyKey is the context key of a *[]byte that takes an answer.
type bodyKey struct{}

// capture hands the bytes of an answer to whoever asked, and gives the SDK an empty document. The SDK makes the
// requests; decoding is ours, because with the SDK's types one odd field of one entry costs the whole page, and a
// page's list that is missing looks like an empty one.
type capture struct{ base http.RoundTripper }

func (c *capture) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if into, ok := req.Context().Value(bodyKey{}).(*[]byte); ok {
		*into = rest.Bytes(resp)
		resp.Body, resp.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
	}
	return resp, nil
}

// ask makes one call of the SDK and returns the bytes of the answer. do gets the context that the call must carry.
func ask(ctx context.Context, op string, do func(ctx context.Context) error) ([]byte, error) {
	var body []byte
	err := do(context.WithValue(ctx, bodyKey{}, &body))
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, rest.Fault(op, fault.Transient, err)
	}
	return body, nil
}

// word names a request in metrics and errors without the ids in its path.
func word(req *http.Request) string {
	if req.Method == http.MethodPost {
		return opToken
	}
	path := req.URL.Path
	for _, k := range []struct{ part, name string }{
		{"/members", "list members"}, {"/activity/", opEvents}, {"/apps/licensing/", opLicences},
		{"/devices/chromeos", "list ChromeOS devices"}, {"/devices/mobile", "list mobile devices"},
		{"/reseller/v1/subscriptions", opSubscriptions}, {"/reseller/v1/customers/", opResold},
		{"/v1/customers/", "get the customer"}, {"/v1/users/", opUser}, {"/v1/groups/", "get a group"},
		{"/v1/users", "list users"}, {"/v1/groups", "list groups"},
	} {
		if strings.Contains(path, k.part) {
			return k.name
		}
	}
	return "GET"
}
