package microsoftsim

import (
	"crypto/x509"
	"strings"
	"time"
)

// App is an application registration.
type App struct {
	ID   string // the client id
	Home string // tenant id; its service principal there is made with the app
	// Secrets are the client secrets that are taken; a secret with a date before now has expired.
	Secrets map[string]time.Time
	// Certificates may sign assertions.
	Certificates []*x509.Certificate
	// Federated names issuers and subjects whose assertions are taken; their signatures are not looked at.
	Federated []Federation
	// PartnerCenter lets the app use Partner Center without a user, too.
	PartnerCenter bool
}

// Federation is a trusted identity elsewhere.
type Federation struct{ Issuer, Subject string }

// AddApp registers an application, or replaces its registration. A secret without a date never expires.
func (s *Server) AddApp(a App) {
	s.mu.Lock()
	s.apps[a.ID] = &a
	home := s.tenants[strings.ToLower(a.Home)]
	s.mu.Unlock()
	if home != nil {
		home.Consent(a.ID)
	}
}

func (s *Server) app(id string) *App {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apps[id]
}

// refreshToken is what a signed-in partner user left behind.
type refreshToken struct {
	app, home, user string
	used            time.Time
	revoked         bool
}

// IssueRefreshToken signs a user of an application's tenant in and returns the refresh token.
func (s *Server) IssueRefreshToken(app, home, user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issueRefresh(app, home, user)
}

func (s *Server) issueRefresh(app, home, user string) string {
	name := "0.refresh-" + newGUID() + newGUID()
	s.refresh[name] = &refreshToken{app: app, home: strings.ToLower(home), user: user, used: s.o.Now()}
	return name
}

// RefreshTokenTaken reports whether a refresh token would be taken now.
func (s *Server) RefreshTokenTaken(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.refresh[token]
	return t != nil && !t.revoked && s.o.Now().Sub(t.used) <= s.o.RefreshLife
}
