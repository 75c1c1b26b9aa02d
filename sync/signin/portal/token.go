package portal

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/golang-jwt/jwt/v5"

	"dirsyncd/sync/signin"
)

// tokenLife is how long an identity token counts, in seconds; one for a proxy is made anew with each answer, and lives as long as the answer and this.
const tokenLife = 60

// token makes a signed identity token (JWT, ES256) for one application. The application looks people up by sub alone.
func (p *Portal) token(app *App, s *session, standing signin.Standing, nonce string) (string, error) {
	now := p.Now()
	life := int64(tokenLife)
	if nonce == "" {
		life += int64(freshFor.Seconds())
	}
	claims := jwt.MapClaims{
		"iss": p.URL.String(), "aud": app.Name, "sub": s.Owner.Record, "jti": random(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Unix() + life,
		"auth_time": s.At.Unix(), "provider": s.Provider, "sid": sidOf(s),
	}
	for name, value := range map[string]string{
		"nonce": nonce, "acr": s.Context, "name": standing.Fields["name"], "email": standing.Fields["email"], "role": standing.Fields["role"],
		"team": standing.Fields["team"], "customer": standing.Fields["customer"], "site": standing.Fields["site"],
	} {
		if value != "" {
			claims[name] = value
		}
	}
	if len(s.Methods) > 0 {
		claims["amr"] = s.Methods
	}
	if len(standing.Kinds) > 0 {
		claims["kind"] = standing.Kinds[0]
	}
	key := p.Keys.Sign()
	t := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	t.Header["kid"] = key.ID
	return t.SignedString(key.Private)
}

// handToken sends the browser with a token to an application that takes tokens.
func (p *Portal) handToken(w http.ResponseWriter, r *http.Request, to target, key []byte, s *session, standing signin.Standing, begun *pending) {
	// The page that posts a token goes on by itself: no browser sees a circle in it.
	if !p.limits.allow("entry "+string(key)+string(hashed(to.url)), entriesPerSession) {
		p.page(w, r, http.StatusBadRequest, "circle", map[string]any{"Host": to.app.URL.Host})
		return
	}
	if begun.Nonce == "" && (to.app.Product == nil || to.app.Product.Nonce()) {
		// Without a nonce of the application's own its session could be somebody else's doing.
		p.goOn(w, r, to.url)
		return
	}
	next, err := p.tokenFor(to, s, standing, begun)
	if refusal := (*signin.Refusal)(nil); errors.As(err, &refusal) {
		p.refuse(w, r, Attempt{ID: newAttemptID(), At: p.Now(), Provider: s.Provider, App: to.app.Name, Owner: s.Owner}, err)
		return
	}
	if err == nil {
		err = p.keepVisit(r.Context(), to.app, key, s)
	}
	if err != nil {
		p.fault(w, r, err)
		return
	}
	if next.Form != nil {
		p.post(w, r, next)
		return
	}
	p.goOn(w, r, next.URL)
}

// tokenFor makes the form or the address that takes a token to an application.
func (p *Portal) tokenFor(to target, s *session, standing signin.Standing, begun *pending) (signin.To, error) {
	if product := to.app.Product; product != nil {
		return product.Hand(signin.HandOver{
			Record: s.Owner.Record, Name: standing.Fields["name"], Email: standing.Fields["email"], Target: to.url, Nonce: begun.Nonce, State: begun.State,
		}, p.Now())
	}
	token, err := p.token(to.app, s, standing, begun.Nonce)
	form := url.Values{"token": {token}}
	if begun.State != "" {
		form.Set("state", begun.State)
	}
	return signin.To{URL: to.app.TokenURL.String(), Form: form}, err
}

// keys publishes what verifies our tokens (RFC 7517).
func (p *Portal) keys(w http.ResponseWriter, _ *http.Request) {
	type jwk struct {
		Type  string `json:"kty"`
		Curve string `json:"crv"`
		Use   string `json:"use"`
		Alg   string `json:"alg"`
		ID    string `json:"kid"`
		X     string `json:"x"`
		Y     string `json:"y"`
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	for _, s := range p.Keys.Published() {
		point, err := s.Private.PublicKey.Bytes() // uncompressed: 4, X, Y
		if err != nil {
			http.Error(w, "a key cannot be shown", http.StatusInternalServerError)
			return
		}
		half := (len(point) - 1) / 2
		set.Keys = append(set.Keys, jwk{"EC", "P-256", "sig", "ES256", s.ID,
			base64.RawURLEncoding.EncodeToString(point[1 : 1+half]), base64.RawURLEncoding.EncodeToString(point[1+half:])})
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=3600")
	_ = json.NewEncoder(w).Encode(set)
}
