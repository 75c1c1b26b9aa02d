package tour

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// idp is a made-up provider of identity, as much of OpenID Connect as the tour needs. It asks for no password.
type idp struct {
	*httptest.Server
	key *ecdsa.PrivateKey
	now func() time.Time

	mu     sync.Mutex
	who    string            // the mail address of who comes next
	nonces map[string]string // by code
}

func openIDP(now func() time.Time) (*idp, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	i := &idp{key: key, now: now, nonces: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	i.Server = httptest.NewTLSServer(mux)
	return i, nil
}

// next says who comes next.
func (i *idp) next(mail string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.who = mail
}

func (i *idp) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"response_types_supported": []string{"code"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_post"},
	})
}

func (i *idp) keys(w http.ResponseWriter, _ *http.Request) {
	point, err := i.key.PublicKey.Bytes() // uncompressed: 4, X, Y
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	const half = 32
	text := base64.RawURLEncoding.EncodeToString
	answer(w, map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "demo", "x": text(point[1 : 1+half]), "y": text(point[1+half:]),
	}}})
}

// authorize lets whoever comes in (RFC 6749 section 4.1.1).
func (i *idp) authorize(w http.ResponseWriter, r *http.Request) {
	q, code := r.URL.Query(), rand.Text()
	i.mu.Lock()
	i.nonces[code] = q.Get("nonce")
	i.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
}

func (i *idp) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	nonce, ok := i.nonces[r.PostFormValue("code")]
	if !ok || r.PostFormValue("client_secret") != idpSecret {
		http.Error(w, `{"error": "invalid_grant"}`, http.StatusBadRequest)
		return
	}
	now := i.now()
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": i.URL, "aud": idpClient, "sub": i.who, "nonce": nonce, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "email": i.who, "email_verified": true,
	})
	t.Header["kid"] = "demo"
	signed, err := t.SignedString(i.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{"access_token": "opens nothing", "token_type": "Bearer", "id_token": signed})
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // who went away hears nothing
}
