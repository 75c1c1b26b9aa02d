package googlesim

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

// client speaks to a simulator without a library, so that the two are not wrong together.
type client struct {
	t     *testing.T
	s     *Server
	token string
}

func open(t *testing.T, change func(*Options)) *client {
	t.Helper()
	var o Options
	if change != nil {
		change(&o)
	}
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &client{t: t, s: s}
}

func (c *client) do(req *http.Request) (int, map[string]any) {
	c.t.Helper()
	resp, err := (&http.Client{Timeout: 5 * time.Minute}).Do(req)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	var doc map[string]any
	_ = json.Unmarshal(data, &doc)
	return resp.StatusCode, doc
}

func (c *client) get(path string) (int, map[string]any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, c.s.URL+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	return c.do(req)
}

func (c *client) post(form url.Values) (int, map[string]any) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.s.TokenURI(), strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.do(req)
}

func (c *client) sign(claims map[string]any, key *rsa.PrivateKey) url.Values {
	body, err := json.Marshal(claims)
	if err != nil {
		c.t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		c.t.Fatal(err)
	}
	return url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {text + "." + base64.RawURLEncoding.EncodeToString(signature)},
	}
}

func (c *client) claims(scopes ...string) map[string]any {
	for i := range scopes {
		scopes[i] = scopePrefix + scopes[i]
	}
	return map[string]any{
		"iss": ServiceAccount, "sub": c.s.Customer(0).Admin(), "aud": c.s.TokenURI(), "scope": strings.Join(scopes, " "),
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
}

func TestAssertions(t *testing.T) {
	c := open(t, nil)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key := c.s.opts.Key
	for name, tc := range map[string]struct {
		change func(map[string]any)
		key    *rsa.PrivateKey
		want   string
	}{
		"good":             {func(map[string]any) {}, key, ""},
		"another key":      {func(map[string]any) {}, other, "Signature"},
		"another issuer":   {func(m map[string]any) { m["iss"] = "x" }, key, "account not found"},
		"another audience": {func(m map[string]any) { m["aud"] = "x" }, key, "audience"},
		"a clock behind":   {func(m map[string]any) { m["iat"], m["exp"] = 1000, 4600 }, key, "reasonable timeframe"},
		"a long life":      {func(m map[string]any) { m["exp"] = time.Now().Add(9 * time.Hour).Unix() }, key, "short-lived"},
		"nobody":           {func(m map[string]any) { m["sub"] = "nobody@example.test" }, key, "User ID"},
		"a scope to write": {func(m map[string]any) { m["scope"] = scopePrefix + "admin.directory.user" }, key, "unauthorized"},
		"no scope":         {func(m map[string]any) { m["scope"] = "" }, key, "scope"},
	} {
		claims := c.claims("admin.directory.user.readonly")
		tc.change(claims)
		status, doc := c.post(c.sign(claims, tc.key))
		said, _ := doc["error_description"].(string)
		if (status == 200) != (tc.want == "") || !strings.Contains(said, tc.want) {
			t.Errorf("%s: %d %v", name, status, doc)
		}
	}
}

func (c *client) signIn(scopes ...string) {
	c.t.Helper()
	_, doc := c.post(c.sign(c.claims(scopes...), c.s.opts.Key))
	c.token, _ = doc["access_token"].(string)
}

func TestLists(t *testing.T) {
	c := open(t, nil)
	cust := c.s.Customer(0)
	cust.Fill(250)
	c.signIn("admin.directory.user.readonly", "admin.directory.customer.readonly")
	seen := 0
	for token := ""; ; {
		status, doc := c.get("/admin/directory/v1/users?customer=my_customer&fields=kind,nextPageToken,users(id,name/fullName)&pageToken=" + token)
		if status != 200 || doc["etag"] != nil {
			t.Fatalf("%d %v", status, doc)
		}
		for _, u := range doc["users"].([]any) {
			if u := u.(map[string]any); len(u) != 2 || len(u["name"].(map[string]any)) != 1 {
				t.Fatalf("the mask let through %v", u)
			}
			seen++
		}
		if token, _ = doc["nextPageToken"].(string); token == "" {
			break
		}
	}
	if seen != 251 {
		t.Errorf("%d people in pages of a hundred, want 251", seen)
	}
	for path, want := range map[string]int{
		"users": 400, "users?customer=C9": 404, "users?customer=my_customer&pageToken=x": 400, "users?customer=my_customer&query=nonsense": 400,
		"users/nobody": 404, "users/" + cust.Admin(): 200, "groups?customer=my_customer": 403, "customers/my_customer": 200, "elsewhere": 404,
	} {
		if status, _ := c.get("/admin/directory/v1/" + path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	_, doc := c.get("/admin/directory/v1/users?customer=my_customer&query=orgUnitPath='/Sales'%20isSuspended=false")
	for _, u := range doc["users"].([]any) {
		if path := u.(map[string]any)["orgUnitPath"].(string); !strings.HasPrefix(path, "/Sales") {
			t.Errorf("a query found %s", path)
		}
	}
	c.s.ExpireTokens()
	if status, _ := c.get("/admin/directory/v1/users/x"); status != 401 {
		t.Errorf("a void token: %d", status)
	}
}

func TestTheDead(t *testing.T) {
	now := time.Now()
	c := open(t, func(o *Options) { o.Now = func() time.Time { return now } })
	cust := c.s.Customer(0)
	id := cust.AddUser(User{Email: "a@example.test"})
	cust.DeleteUser(id)
	heir := cust.AddUser(User{Email: "A@example.test"})
	if len(cust.Deleted()) != 1 || heir == id || cust.UndeleteUser(id) {
		t.Error("somebody was brought back whose address is another's")
	}
	cust.RenameUser(heir, "b@example.test") // keeps the address as an alias
	if cust.UndeleteUser(id) {
		t.Error("somebody was brought back whose address is an alias of another")
	}
	cust.DeleteUser(heir)
	if !cust.UndeleteUser(id) {
		t.Error("nobody has the address any more")
	}
	now = now.Add(21 * 24 * time.Hour)
	if len(cust.Deleted()) > 0 {
		t.Error("the dead are forgotten after 20 days")
	}
}

func TestLog(t *testing.T) {
	now := time.Now()
	c := open(t, func(o *Options) { o.Now, o.Lag = func() time.Time { return now }, time.Minute })
	c.signIn("admin.reports.audit.readonly")
	cust := c.s.Customer(0)
	id := cust.AddUser(User{Email: "a@example.test"})
	cust.Quietly(func() { cust.MoveUser(id, "/x") })
	now = now.Add(10 * time.Second)
	cust.RenameUser(id, "b@example.test")
	names := func() (list []string) {
		status, doc := c.get("/admin/reports/v1/activity/users/all/applications/admin")
		if status != 200 {
			t.Fatalf("%d %v", status, doc)
		}
		items, _ := doc["items"].([]any)
		for _, item := range items {
			e := item.(map[string]any)["events"].([]any)[0].(map[string]any)
			list = append(list, e["name"].(string))
		}
		return list
	}
	if got := names(); len(got) > 0 {
		t.Errorf("the log shows %v too early", got)
	}
	now = now.Add(time.Minute)
	if got := names(); !reflect.DeepEqual(got, []string{"RENAME_USER", "CREATE_USER"}) {
		t.Errorf("the log shows %v", got)
	}
}

func TestFaults(t *testing.T) {
	c := open(t, nil)
	c.signIn("admin.directory.customer.readonly")
	get := func() (int, map[string]any) { return c.get("/admin/directory/v1/customers/my_customer") }
	c.s.Misbehave(Fault{Match: "/customers/", Skip: 1, Times: 2, Status: 503})
	for i, want := range []int{200, 503, 503, 200} {
		if status, _ := get(); status != want {
			t.Errorf("request %d: %d, want %d", i, status, want)
		}
	}
	for _, kind := range []FaultKind{Cut, Reset} {
		c.s.Misbehave(Fault{Kind: kind, Times: 1})
		// A client may repeat a request whose connection was closed under it.
		if _, doc := get(); doc["id"] != nil && kind == Cut {
			t.Errorf("kind %d: an answer came", kind)
		}
		c.s.Behave()
	}
	c.s.Misbehave(Fault{Kind: Change, Rewrite: func(doc map[string]any) { doc["id"] = "other" }})
	if _, doc := get(); doc["id"] != "other" {
		t.Errorf("%v", doc)
	}
	if c.s.Requests("/customers/") < 5 || c.s.Requests("") <= c.s.Requests("/customers/") {
		t.Errorf("%d of %d requests", c.s.Requests("/customers/"), c.s.Requests(""))
	}
}

func TestDiscoveryIsKept(t *testing.T) {
	doc := `{"servicePath":"","parameters":{"alt":{"location":"query"}},"resources":{"users":{"methods":{"list":{"id":"directory.users.list",
		"path":"admin/directory/v1/users","httpMethod":"GET","parameters":{"maxResults":{"location":"query","maximum":"500"},
		"customer":{"location":"query"},"orderBy":{"location":"query","enum":["email"]},"fields":{"location":"query"}}}}}}}`
	c := open(t, func(o *Options) { o.Discovery = [][]byte{[]byte(doc)} })
	c.signIn("admin.directory.user.readonly")
	for query, want := range map[string]int{
		"customer=my_customer&alt=json": 200, "customer=my_customer&maxResults=501": 400, "customer=my_customer&limit=5": 400,
		"customer=my_customer&orderBy=name": 400, "customer=my_customer&fields=users(id)": 400, "customer=a&customer=b": 400,
	} {
		if status, _ := c.get("/admin/directory/v1/users?" + query); status != want {
			t.Errorf("%s: %d, want %d", query, status, want)
		}
	}
	if len(c.s.Violations()) != 5 {
		t.Errorf("violations %q", c.s.Violations())
	}
}

func TestMask(t *testing.T) {
	in := map[string]any{"a": 1, "b": map[string]any{"c": 2, "d": 3}, "e": []any{map[string]any{"f": 4, "g": 5}}}
	for text, want := range map[string]map[string]any{
		"a":         {"a": 1},
		"b(c),a":    {"a": 1, "b": map[string]any{"c": 2}},
		"e(g)":      {"e": []any{map[string]any{"g": 5}}},
		"e/f,b":     {"e": []any{map[string]any{"f": 4}}, "b": map[string]any{"c": 2, "d": 3}},
		"x,b(x(y))": {"b": map[string]any{}},
	} {
		if got := parseMask(text).apply(in); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("kind,users(id,name(givenName))")
	f.Add("a(((")
	f.Fuzz(func(_ *testing.T, text string) { parseMask(text).apply(map[string]any{"a": []any{1}}) })
}

func FuzzQuery(f *testing.F) {
	f.Add(`orgUnitPath='/It\'s' email:a*`)
	f.Fuzz(func(_ *testing.T, text string) {
		if match, ok := parseQuery(text); ok {
			match(&User{Path: "/"})
		}
	})
}
