package portal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/signin"
)

// Cookies. `__Host-` makes the browser refuse them from another host or without https. Lax lets them come along when a provider sends the
// browser back by GET, and not with the POST of another site.
const (
	sessionCookie = "__Host-dirsyncd"
	pendingPrefix = "__Host-ds-p-"
	bindPrefix    = "__Host-ds-e-"
	againCookie   = "__Host-ds-again"

	pendingLife = 15 * time.Minute
	againLife   = 10 * time.Minute
	handleSize  = 8 // characters of a state or hash that name its cookie
	mostPending = 5 // tabs that sign in at a time; the oldest makes room
	// largestCookie is bytes of name and value: Chromium and Firefox drop a larger one without a word.
	largestCookie = 4096
)

// pending is a sign-in that has begun: all that is remembered of it, in the browser.
type pending struct {
	Attempt  string         `json:"a"`
	Provider string         `json:"p"`
	RD       string         `json:"r"`           // of a target
	Bind     string         `json:"b,omitempty"` // hash of the cookie at the application's host
	Nonce    string         `json:"n,omitempty"` // that the application gave, for its token
	State    string         `json:"s,omitempty"` // likewise
	Keep     bool           `json:"k,omitempty"` // the person wants to stay signed in on this device
	Own      signin.Pending `json:"o"`
}

// sealer makes what is pending unreadable and unchangeable.
type sealer struct {
	aead cipher.AEAD
	key  [sha256.Size]byte // for tokens against forged forms
}

func newSealer(key [32]byte) (*sealer, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &sealer{aead, sha256.Sum256(append([]byte("form token "), key[:]...))}, err
}

func (s *sealer) seal(name string, v any) (string, error) {
	var plain bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false) // addresses are full of &
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain.Bytes(), []byte(name))), nil
}

var errNotOurs = errors.New("not sealed by us")

func (s *sealer) open(name, value string, v any) error {
	if len(value) > longestAddress {
		return errNotOurs
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return errNotOurs
	}
	plain, err := s.aead.Open(nil, nil, data, []byte(name))
	if err != nil {
		return errNotOurs
	}
	return json.Unmarshal(plain, v)
}

// random returns an unguessable text of 256 bits.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// hashed is what is stored of an unguessable text, so that nobody who reads the state can use it.
func hashed(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func hashedText(text string) string { return base64.RawURLEncoding.EncodeToString(hashed(text)) }

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds())})
}

func dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// keepPending gives the browser what is pending, and takes the oldest away where it has many.
func (p *Portal) keepPending(w http.ResponseWriter, r *http.Request, one *pending) error {
	name := pendingPrefix + one.Own.State[:handleSize]
	value, err := p.seal.seal(name, one)
	if to, ok := p.target(one.RD); err == nil && ok && len(name)+len(value) > largestCookie {
		one.RD = to.app.URL.JoinPath("/").String() // rather in at another page than not at all
		value, err = p.seal.seal(name, one)
	}
	if err != nil {
		return err
	}
	type old struct {
		name string
		at   time.Time
	}
	var list []old
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, pendingPrefix) {
			continue
		}
		var had pending
		if p.seal.open(c.Name, c.Value, &had) != nil {
			dropCookie(w, c.Name)
			continue
		}
		list = append(list, old{c.Name, had.Own.At})
	}
	slices.SortFunc(list, func(a, b old) int { return b.at.Compare(a.at) })
	for i := mostPending - 1; i < len(list); i++ {
		dropCookie(w, list[i].name)
	}
	setCookie(w, name, value, pendingLife)
	return nil
}

// takePending returns what this browser has pending under a handle, and takes it away.
func (p *Portal) takePending(w http.ResponseWriter, r *http.Request, provider, handle string) (*pending, *signin.Refusal) {
	none := &signin.Refusal{Reason: signin.NotBegunHere, Text: "the browser has no sign-in under way that this answers", Hint: "cookies are blocked, the tab was old, or the address was opened twice; begin anew at the application"}
	if len(handle) != handleSize {
		return nil, none
	}
	name := pendingPrefix + handle
	c, err := r.Cookie(name)
	if err != nil {
		return nil, none
	}
	dropCookie(w, name)
	var one pending
	if p.seal.open(name, c.Value, &one) != nil || one.Provider != provider {
		return nil, none
	}
	if age := p.Now().Sub(one.Own.At); age > pendingLife || age < -time.Minute {
		return &one, &signin.Refusal{Reason: signin.TooLate, Text: "the sign-in was begun " + age.Round(time.Second).String() + " ago", Hint: "begin anew at the application"}
	}
	return &one, nil
}
