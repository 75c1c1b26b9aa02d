// Package handover lets people into products that take identity tokens of a form of their own. What is here follows their documents.
package handover

import (
	"crypto/rand"
	"crypto/rsa"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// Words of `hand_over`.
const (
	WordZendesk    = "zendesk"
	WordFreshworks = "freshworks"
)

// life is how long a token counts.
const life = time.Minute

// Zendesk is a Zendesk account (Zendesk, "Anatomy of a JWT request").
type Zendesk struct {
	URL    *url.URL // where the token is posted: https://ACCOUNT.zendesk.com/access/jwt
	Secret settings.Secret
}

// Nonce reports that a request of Zendesk's carries nothing that ties it to a browser.
func (*Zendesk) Nonce() bool { return false }

// Hand makes the form by which somebody comes in. Zendesk knows people by external_id, and at first by the mail address.
func (z *Zendesk) Hand(h signin.HandOver, now time.Time) (signin.To, error) {
	if h.Email == "" {
		return signin.To{}, noMail("Zendesk")
	}
	claims := jwt.MapClaims{"iat": now.Unix(), "jti": rand.Text(), "name": h.Name, "email": h.Email, "external_id": h.Record}
	if h.Name == "" {
		claims["name"] = h.Email
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(z.Secret.Reveal()))
	return signin.To{URL: z.URL.String(), Form: url.Values{"jwt": {token}, "return_to": {h.Target}}}, err
}

// Freshworks is an organisation of Freshworks with JWT as its single sign-on (Freshworks, "How to configure SSO with custom JWT implementation").
type Freshworks struct {
	URL *url.URL // the redirect URL that Freshworks shows
	Key *rsa.PrivateKey
}

// Nonce reports that a request of Freshworks carries a nonce of its own.
func (*Freshworks) Nonce() bool { return true }

// Hand makes the address by which somebody comes in.
func (f *Freshworks) Hand(h signin.HandOver, now time.Time) (signin.To, error) {
	if h.Email == "" {
		return signin.To{}, noMail("Freshworks")
	}
	claims := jwt.MapClaims{"sub": h.Record, "email": h.Email, "nonce": h.Nonce, "iat": now.Unix(), "exp": now.Add(life).Unix(), "jti": rand.Text()}
	if h.Name != "" {
		claims["name"] = h.Name
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(f.Key)
	if err != nil {
		return signin.To{}, err
	}
	to := *f.URL
	q := to.Query()
	q.Set("state", h.State)
	q.Set("id_token", token)
	to.RawQuery = q.Encode()
	return signin.To{URL: to.String()}, nil
}

func noMail(product string) error {
	return &signin.Refusal{Reason: signin.NoRecord, Text: "the record has no field email, by which " + product + " knows people",
		Hint: "let the rules fill email for whoever may sign in there"}
}
