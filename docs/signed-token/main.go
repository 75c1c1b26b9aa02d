// Command signed-token is a small application into which people come by the signed token of dirsyncd. It needs nothing but the standard library.
//
//	signed-token -listen 127.0.0.1:8080 -auth https://auth.example.com -app shop -people people.json
//
// A start for an application of your own: keep what stands in verify.go and the handlers of /login, /sso and /signed-out, and replace the rest.
// people.json says whom the application knows, by the key of the record: {"hq-entra/0d1f…": "Ann"}. TLS is the work of the reverse proxy in front.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"
)

const (
	loginCookie   = "__Host-login"   // ties the nonce to this browser
	sessionCookie = "__Host-session" // of the application itself
	loginLife     = 15 * time.Minute
	sessionLife   = 8 * time.Hour
	mostForm      = 16 << 10
)

// application is the application.
type application struct {
	verifier
	auth   string            // address of the central host
	people map[string]string // names by the key of the record: nothing else says who somebody is

	mu       sync.Mutex
	sessions map[string]session // by the hash of the cookie
}

type session struct {
	sub, sid string
	ends     time.Time
}

func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (a *application) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.HandleFunc("GET /login", a.login)
	mux.HandleFunc("POST /sso", a.enter)
	mux.HandleFunc("POST /signed-out", a.signedOut)
	return mux
}

func (a *application) home(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c, err := r.Cookie(sessionCookie); err == nil {
		if s, ok := a.sessions[hash(c.Value)]; ok && a.now().Before(s.ends) {
			_, _ = fmt.Fprintf(w, "Hello %s", html.EscapeString(a.people[s.sub]))
			return
		}
	}
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = fmt.Fprint(w, `<a href="/login">Sign in</a>`)
}

// login sends the browser away with a nonce that only this browser can bring back. The token comes by a POST from another site, with which
// browsers send no cookie but one with SameSite=None.
func (a *application) login(w http.ResponseWriter, r *http.Request) {
	secret := random()
	http.SetCookie(w, &http.Cookie{Name: loginCookie, Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode, MaxAge: int(loginLife / time.Second)})
	http.Redirect(w, r, a.auth+"/auth/start?"+url.Values{"app": {a.audience}, "rd": {"/"}, "nonce": {hash(secret)}}.Encode(), http.StatusSeeOther)
}

// enter takes the token.
func (a *application) enter(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	cookie, err := r.Cookie(loginCookie)
	if err != nil {
		http.Error(w, "begin again at /login", http.StatusBadRequest)
		return
	}
	claims, err := a.signIn(r.Context(), r.PostFormValue("token"), hash(cookie.Value))
	if err != nil {
		refuse(w, err, http.StatusForbidden)
		return
	}
	if _, known := a.people[claims.Subject]; !known { // by sub alone: names and addresses change hands
		http.Error(w, "you have no account here", http.StatusForbidden)
		return
	}
	secret := random() // a fresh session: what the browser had before is not used again
	a.mu.Lock()
	a.sessions[hash(secret)] = session{claims.Subject, claims.Session, a.now().Add(sessionLife)}
	a.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: loginCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteNoneMode, MaxAge: -1})
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: secret, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signedOut is the logout_url: dirsyncd says that somebody has signed out, or has no access any more.
func (a *application) signedOut(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, mostForm)
	claims, err := a.logout(r.Context(), r.PostFormValue("logout_token"))
	if err != nil {
		refuse(w, err, http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, s := range a.sessions {
		if s.sub == claims.Subject && (claims.Session == "" || s.sid == claims.Session) {
			delete(a.sessions, key)
		}
	}
}

func refuse(w http.ResponseWriter, err error, status int) {
	fmt.Fprintln(os.Stderr, "signed-token: refused:", err)
	if errors.Is(err, errKeys) {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, "the token is not good", status)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "signed-token:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen at")
	auth := flag.String("auth", "", "the central host, as web.url of dirsyncd has it")
	keys := flag.String("keys", "", "where its keys are fetched, if not at AUTH/auth/keys")
	app := flag.String("app", "", "name of this application at dirsyncd")
	file := flag.String("people", "people.json", "whom the application knows")
	flag.Parse()
	if *auth == "" || *app == "" {
		return errors.New("-auth and -app are needed")
	}
	if *keys == "" {
		*keys = *auth + "/auth/keys"
	}
	a := &application{verifier: newVerifier(*auth, *app, *keys), auth: *auth, sessions: make(map[string]session)}
	data, err := os.ReadFile(*file)
	if err == nil {
		err = json.Unmarshal(data, &a.people)
	}
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "listening on http://%s\n", l.Addr())
	return (&http.Server{Handler: a.routes(), ReadHeaderTimeout: time.Minute}).Serve(l)
}
