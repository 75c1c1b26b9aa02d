package microsoftsim

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

const (
	testApp    = "11111111-2222-4333-8444-555555555555"
	testSecret = "a-secret"
)

// all is every permission that the simulator knows.
func all() []string {
	return []string{
		"User.Read.All", "Group.Read.All", "Device.Read.All", "LicenseAssignment.Read.All", "DeviceManagementManagedDevices.Read.All",
		"Organization.Read.All", "Directory.Read.All", "DelegatedAdminRelationship.Read.All",
	}
}

// world is a server with one tenant and an application that may read everything.
type world struct {
	testing.TB
	*Server
	t      *Tenant
	client *http.Client
}

func start(tb testing.TB, o Options, p Population) *world {
	tb.Helper()
	s, err := Start(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CA())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	tb.Cleanup(transport.CloseIdleConnections)
	w := &world{TB: tb, Server: s, client: &http.Client{Transport: transport}}
	w.t = s.AddTenant(TenantOptions{Population: p})
	s.AddApp(App{ID: testApp, Home: w.t.ID(), Secrets: map[string]time.Time{testSecret: {}}})
	w.t.Consent(testApp, all()...)
	return w
}

// token signs the application in.
func (w *world) token(tenant, scope string) (string, map[string]any) {
	w.Helper()
	return w.signIn(tenant, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {testApp}, "client_secret": {testSecret}, "scope": {scope},
	})
}

func (w *world) signIn(tenant string, form url.Values) (string, map[string]any) {
	w.Helper()
	resp, err := w.client.PostForm(w.URL()+"/"+tenant+"/oauth2/v2.0/token", form)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		w.Fatal(err)
	}
	token, _ := out["access_token"].(string)
	return token, out
}

const graphScope = "https://graph.microsoft.com/.default"

type answer struct {
	status int
	header http.Header
	doc    map[string]any
	raw    string
}

func (a answer) code() string {
	e, _ := a.doc["error"].(map[string]any)
	code, _ := e["code"].(string)
	return code
}

func (a answer) value() []map[string]any {
	var list []map[string]any
	raw, _ := a.doc["value"].([]any)
	for _, v := range raw {
		m, _ := v.(map[string]any)
		list = append(list, m)
	}
	return list
}

// get asks with a fresh token. The path may be a whole link.
func (w *world) get(path string, header ...string) answer {
	w.Helper()
	token, _ := w.token(w.t.ID(), graphScope)
	return w.do(http.MethodGet, path, token, "", header...)
}

func (w *world) do(method, path, token, body string, header ...string) answer {
	w.Helper()
	if !strings.HasPrefix(path, "https://") {
		path = w.URL() + path
	}
	req, err := http.NewRequestWithContext(w.Context(), method, path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	_ = json.Unmarshal(bytes.TrimPrefix(raw, []byte("\ufeff")), &a.doc)
	return a
}

// walk follows the links of a list or delta and returns all entries and the delta link.
func (w *world) walk(path string, header ...string) (list []map[string]any, delta string, pages int) {
	w.Helper()
	for path != "" {
		a := w.get(path, header...)
		if a.status != http.StatusOK {
			w.Fatalf("%s: %d %s", path, a.status, a.raw)
		}
		list = append(list, a.value()...)
		path, _ = a.doc["@odata.nextLink"].(string)
		delta, _ = a.doc["@odata.deltaLink"].(string)
		if (path != "") == (delta != "") && strings.Contains(a.raw, "delta") {
			w.Fatalf("a page needs exactly one link: %s", a.raw)
		}
		pages++
	}
	return list, delta, pages
}

func TestSignInWithAzidentity(t *testing.T) {
	w := start(t, Options{}, Population{People: 3})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, _ := x509.ParseCertificate(der)
	w.AddApp(App{ID: testApp, Home: w.t.ID(), Secrets: map[string]time.Time{testSecret: {}}, Certificates: []*x509.Certificate{certificate}})
	client := azcore.ClientOptions{Transport: w.client, Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: w.URL()}}
	secret, err := azidentity.NewClientSecretCredential(w.t.ID(), testApp, testSecret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: client, DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := azidentity.NewClientCertificateCredential(w.t.Domain(), testApp, []*x509.Certificate{certificate}, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: client, DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	assert, err := azidentity.NewClientSecretCredential(w.t.ID(), testApp, "wrong", &azidentity.ClientSecretCredentialOptions{
		ClientOptions: client, DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []azcore.TokenCredential{secret, signed} {
		token, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{graphScope}, EnableCAE: true})
		if err != nil {
			t.Fatal(err)
		}
		if a := w.do(http.MethodGet, "/v1.0/users", token.Token, ""); a.status != http.StatusOK || len(a.value()) != 3 {
			t.Errorf("%d %s", a.status, a.raw)
		}
	}
	if _, err := assert.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{graphScope}}); err == nil || !strings.Contains(err.Error(), "7000215") {
		t.Errorf("a wrong secret: %v", err)
	}
	sum := sha256.Sum256(der)
	forged := spell([]byte(`{"alg":"PS256","x5t#S256":"`+spell(sum[:])+`"}`)) + "." +
		spell([]byte(`{"iss":"`+testApp+`","sub":"`+testApp+`","exp":9999999999}`)) + "." + spell([]byte("not a signature"))
	if _, out := w.signIn(w.t.ID(), url.Values{
		"grant_type": {"client_credentials"}, "client_id": {testApp}, "scope": {graphScope}, "client_assertion": {forged},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}); fmt.Sprint(out["error_codes"]) != "[700027]" {
		t.Errorf("a forged assertion: %v", out)
	}
}

func TestRefusedSignIns(t *testing.T) {
	w := start(t, Options{}, Population{})
	other := w.AddTenant(TenantOptions{})
	code := func(tenant string) string {
		_, out := w.token(tenant, graphScope)
		return fmt.Sprint(out["error_codes"])
	}
	if got := code(other.ID()); got != "[700016]" {
		t.Errorf("an app that nobody consented to: %s", got)
	}
	if got := code("no.such.tenant"); got != "[90002]" {
		t.Errorf("a tenant that is not there: %s", got)
	}
	if got := code("common"); got != "[9.001023e+06]" {
		t.Errorf("/common: %s", got)
	}
	w.RefuseTokens(w.t.ID(), "", 65001)
	if got := code(w.t.ID()); got != "[65001]" {
		t.Errorf("a code on command: %s", got)
	}
	w.RefuseTokens(w.t.ID(), "", 0)
	if got := code(w.t.ID()); got != "<nil>" {
		t.Errorf("after that: %s", got)
	}
}

func TestRefreshTokens(t *testing.T) {
	now := time.Now()
	w := start(t, Options{Now: func() time.Time { return now }}, Population{})
	customer := w.AddTenant(TenantOptions{Population: Population{People: 2}})
	w.SetPartner(w.t.ID())
	w.SetQuirks(Quirks{RevokeOldRefresh: true})
	refresh := w.IssueRefreshToken(testApp, w.t.ID(), "admin")
	use := func(tenant, token string) map[string]any {
		_, out := w.signIn(tenant, url.Values{
			"grant_type": {"refresh_token"}, "client_id": {testApp}, "client_secret": {testSecret}, "refresh_token": {token}, "scope": {graphScope},
		})
		return out
	}
	if out := use(customer.ID(), refresh); fmt.Sprint(out["error_codes"]) != "[50020]" {
		t.Errorf("without a relationship: %v", out)
	}
	w.AddCustomer(customer)
	if out := use(customer.ID(), refresh); fmt.Sprint(out["error_codes"]) != "[65001]" {
		t.Errorf("without consent: %v", out)
	}
	customer.ConsentDelegated(testApp, "User.Read.All")
	out := use(customer.ID(), refresh)
	next, _ := out["refresh_token"].(string)
	access, _ := out["access_token"].(string)
	if a := w.do(http.MethodGet, "/v1.0/users", access, ""); a.status != http.StatusOK || next == "" || next == refresh {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if out := use(customer.ID(), refresh); fmt.Sprint(out["error_codes"]) != "[50173]" {
		t.Errorf("the old one again: %v", out)
	}
	now = now.Add(91 * 24 * time.Hour)
	if out := use(customer.ID(), next); fmt.Sprint(out["error_codes"]) != "[700082]" {
		t.Errorf("after 91 days: %v", out)
	}
}

func TestPermissions(t *testing.T) {
	w := start(t, Options{}, Population{People: 3})
	old, _ := w.token(w.t.ID(), graphScope)
	w.t.Revoke(testApp, "User.Read.All", "Directory.Read.All")
	if a := w.do(http.MethodGet, "/v1.0/users", old, ""); a.status != http.StatusForbidden || a.code() != "Authorization_RequestDenied" {
		t.Errorf("revoked: %d %s", a.status, a.raw)
	}
	without, _ := w.token(w.t.ID(), graphScope)
	w.t.Consent(testApp, "User.Read.All")
	if a := w.do(http.MethodGet, "/v1.0/users", without, ""); a.status != http.StatusForbidden {
		t.Errorf("a token from before the consent: %d", a.status)
	}
	if a := w.get("/v1.0/users"); a.status != http.StatusOK {
		t.Errorf("a token from after it: %d", a.status)
	}
	if a := w.get("/v1.0/users?$select=signInActivity"); a.status != http.StatusForbidden {
		t.Errorf("sign-in activity: %d", a.status)
	}
	w.t.Revoke(testApp)
	if a := w.do(http.MethodGet, "/v1.0/users", old, ""); a.status != http.StatusUnauthorized || a.code() != "Authorization_IdentityNotFound" {
		t.Errorf("no service principal: %d %s", a.status, a.raw)
	}
	if a := w.do(http.MethodGet, "/v1.0/users", "nonsense", ""); a.status != http.StatusUnauthorized {
		t.Errorf("no token: %d", a.status)
	}
}

func TestLists(t *testing.T) {
	w := start(t, Options{}, Population{People: 250, Guests: 10, Groups: 20, Devices: 5, Managed: 4, SKUs: 3})
	list, _, pages := w.walk("/v1.0/users")
	if len(list) != 260 || pages != 3 || len(list[0]) != 11 {
		t.Errorf("%d users on %d pages, %d properties", len(list), pages, len(list[0]))
	}
	list, _, _ = w.walk("/v1.0/users?$select=mobilePhone,department&$expand=manager($select=id)&$top=999")
	if v, there := list[1]["mobilePhone"]; !there || v != nil {
		t.Errorf("a list must show what was never set as null: %v", list[1])
	}
	if m, _ := list[9]["manager"].(map[string]any); m["id"] != w.t.PersonID(1) {
		t.Errorf("manager: %v", list[9])
	}
	if a := w.get("/v1.0/users?$top=1000"); a.status != http.StatusBadRequest {
		t.Errorf("$top=1000: %d", a.status)
	}
	if a := w.get("/v1.0/users?$count=true&$top=5", "ConsistencyLevel", "eventual"); a.doc["@odata.count"] != 260.0 || len(a.value()) != 5 {
		t.Errorf("count: %v", a.doc["@odata.count"])
	}
	if a := w.get("/v1.0/users/$count", "ConsistencyLevel", "eventual"); a.raw != "260" {
		t.Errorf("$count: %s", a.raw)
	}
	list, _, pages = w.walk("/v1.0/groups/" + w.t.GroupID(0) + "/members?$select=id&$top=100")
	if len(list) != 261 || pages != 3 {
		t.Errorf("%d members on %d pages", len(list), pages)
	}
	for path, want := range map[string]int{
		"/v1.0/subscribedSkus": 3, "/v1.0/directory/subscriptions": 3, "/v1.0/deviceManagement/managedDevices": 4, "/v1.0/devices": 5,
		"/v1.0/organization": 1, "/v1.0/users?$filter=userType eq 'Guest'": 10, "/v1.0/directory/deletedItems/microsoft.graph.user": 0,
	} {
		if a := w.get(strings.ReplaceAll(path, " ", "%20")); a.status != http.StatusOK || len(a.value()) != want {
			t.Errorf("%s: %d, %d entries", path, a.status, len(a.value()))
		}
	}
	if got := w.t.Consumed(w.t.SKUs()[0].ID); got != 250 {
		t.Errorf("%d hold the first product", got)
	}
}

func TestBatch(t *testing.T) {
	w := start(t, Options{}, Population{People: 3})
	token, _ := w.token(w.t.ID(), graphScope)
	w.SetQuirks(Quirks{Shuffle: true})
	w.Misbehave(Throttle("/users/"+w.t.PersonID(1), "7", 1))
	body := `{"requests":[{"id":"1","method":"GET","url":"/users/` + w.t.PersonID(0) + `?$select=id"},{"id":"2","method":"GET","url":"/users/` + w.t.PersonID(1) + `"}]}`
	a := w.do(http.MethodPost, "/v1.0/$batch", token, body)
	responses, _ := a.doc["responses"].([]any)
	if len(responses) != 2 {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	first, second := responses[0].(map[string]any), responses[1].(map[string]any)
	if first["id"] != "2" || first["status"] != 429.0 || second["status"] != 200.0 || first["headers"].(map[string]any)["Retry-After"] != "7" {
		t.Errorf("%s", a.raw)
	}
	many := strings.Repeat(`{"id":"x","method":"GET","url":"/users"},`, 21)
	if a := w.do(http.MethodPost, "/v1.0/$batch", token, `{"requests":[`+strings.TrimSuffix(many, ",")+`]}`); a.status != http.StatusBadRequest {
		t.Errorf("21 requests: %d", a.status)
	}
}

func TestPartnerCenter(t *testing.T) {
	w := start(t, Options{Pages: Pages{Customers: 10}}, Population{})
	w.SetPartner(w.t.ID())
	w.AddApp(App{ID: testApp, Home: w.t.ID(), Secrets: map[string]time.Time{testSecret: {}}, PartnerCenter: true})
	for range 25 {
		w.AddCustomer(w.AddTenant(TenantOptions{Population: Population{People: 2, SKUs: 1}}))
	}
	token, _ := w.token(w.t.ID(), "https://api.partnercenter.microsoft.com/.default")
	var ids []string
	path, continuation := "/v1/customers?size=500", ""
	for path != "" {
		a := w.do(http.MethodGet, path, token, "", "MS-ContinuationToken", continuation)
		if a.status != http.StatusOK || !strings.HasPrefix(a.raw, "\ufeff") {
			t.Fatalf("%d %s", a.status, a.raw)
		}
		for _, c := range a.doc["items"].([]any) {
			ids = append(ids, c.(map[string]any)["id"].(string))
		}
		path = ""
		if next, ok := a.doc["links"].(map[string]any)["next"].(map[string]any); ok {
			path = next["uri"].(string)
			continuation = next["headers"].([]any)[0].(map[string]any)["value"].(string)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 25 {
		t.Errorf("%d customers", len(ids))
	}
	if a := w.do(http.MethodGet, "/v1/customers/"+ids[3]+"/subscriptions", token, ""); a.status != http.StatusOK {
		t.Errorf("subscriptions: %d %s", a.status, a.raw)
	}
	if a := w.do(http.MethodGet, "/v1/customers/"+ids[3]+"/subscribedskus", token, ""); a.status != http.StatusForbidden {
		t.Errorf("subscribedskus without a user: %d %s", a.status, a.raw)
	}
	for path, want := range map[string]int{
		"/v1.0/contracts?$top=999": 25, "/v1.0/tenantRelationships/delegatedAdminCustomers": 25,
		"/v1.0/tenantRelationships/delegatedAdminRelationships?$filter=status%20eq%20'active'&$top=300": 25,
	} {
		if list, _, _ := w.walk(path); len(list) != want {
			t.Errorf("%s: %d", path, len(list))
		}
	}
}

func TestNotifications(t *testing.T) {
	w := start(t, Options{}, Population{People: 3})
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if token := r.URL.Query().Get("validationToken"); token != "" {
			rw.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(rw, token)
			return
		}
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
		rw.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()
	token, _ := w.token(w.t.ID(), graphScope)
	body := func(address string) string {
		return `{"changeType":"updated,deleted","notificationUrl":"` + address + `","resource":"/users","clientState":"s","expirationDateTime":"` +
			time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`
	}
	if a := w.do(http.MethodPost, "/v1.0/subscriptions", token, body(receiver.URL+"/hook?x=1")); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if a := w.do(http.MethodPost, "/v1.0/subscriptions", token, body(w.URL()+"/nobody")); a.status != http.StatusBadRequest {
		t.Errorf("a receiver that does not answer: %d", a.status)
	}
	w.t.Set(w.t.PersonID(1), Props{"jobTitle": "Wizard"})
	if n, err := w.Notify(t.Context(), w.t); n != 1 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	if text := <-got; !strings.Contains(text, `"resource":"Users/`+w.t.PersonID(1)) || !strings.Contains(text, `"clientState":"s"`) {
		t.Error(text)
	}
}

// TestDelay: every answer takes its time, and Close waits for none.
func TestDelay(t *testing.T) {
	const delay = 20 * time.Millisecond
	w := start(t, Options{Delay: delay}, Population{People: 1})
	began := time.Now()
	w.get("/users")
	if took := time.Since(began); took < 2*delay { // the token, and the list
		t.Errorf("answered after %s", took)
	}
	slow, err := Start(Options{Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if resp, err := w.client.Get(slow.URL()); err == nil {
			_ = resp.Body.Close()
		}
	}()
	_ = slow.Close()
	<-asked
}

func TestThousandTenants(t *testing.T) {
	w := start(t, Options{Pristine: 8}, Population{})
	for range 1000 {
		w.AddTenant(TenantOptions{Population: Population{People: 200, Groups: 5}})
	}
	list := w.Tenants()
	first := list[500].UserIDs()
	for _, tenant := range list[480:540] {
		if n := len(tenant.UserIDs()); n != 200 {
			t.Fatalf("%d people", n)
		}
	}
	list[500].mu.Lock()
	forgotten := list[500].d == nil
	list[500].mu.Unlock()
	if !forgotten || !slices.Equal(first, list[500].UserIDs()) {
		t.Errorf("forgotten %t, or made up differently", forgotten)
	}
}

func TestBudget(t *testing.T) {
	w := start(t, Options{}, Population{People: 3})
	w.SetBudget(4, time.Hour)
	token, _ := w.token(w.t.ID(), graphScope)
	for i := range 2 {
		a := w.do(http.MethodGet, "/v1.0/users", token, "")
		if a.status != http.StatusOK || a.header.Get("x-ms-resource-unit") != "2" {
			t.Errorf("%d: %d %s", i, a.status, a.header.Get("x-ms-resource-unit"))
		}
	}
	a := w.do(http.MethodGet, "/v1.0/users", token, "")
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || w.Units(testApp, w.t.ID()) != 4 || w.Refused() != 1 {
		t.Errorf("%d %v, %d units", a.status, a.header, w.Units(testApp, w.t.ID()))
	}
}
