package portal

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"

	"dirsyncd/sync/signin"
)

// Insider is somebody who is signed in at the central host.
type Insider struct {
	Session  string // names the session; it opens nothing
	Record   string // key of their record
	Provider string // that let them in
	Standing signin.Standing
}

// Insider returns who asks at the central host, if they may come into an application there, as things stand.
func (p *Portal) Insider(r *http.Request, app string) (Insider, bool, error) {
	key, s, standing, err := p.present(r.Context(), r, "")
	at := p.appNamed(app)
	if err != nil || s == nil || at == nil || !at.Inside || !p.admitted(at, s, standing) {
		return Insider{}, false, err
	}
	return Insider{hex.EncodeToString(key), s.Owner.Record, s.Provider, standing}, true, nil
}

// Begin is where somebody signs in who wants to go to a path of an application.
func (p *Portal) Begin(app, path string) string {
	return p.central("start", url.Values{"app": {app}, "rd": {path}})
}

// inside returns the application at the central host to which a path belongs.
func (p *Portal) inside(host, path string) *App {
	for i := range p.Apps {
		a := &p.Apps[i]
		if a.Inside && strings.EqualFold(a.URL.Host, host) && strings.HasPrefix(path, a.URL.Path) && !strings.Contains(path, "..") {
			return a
		}
	}
	return nil
}
