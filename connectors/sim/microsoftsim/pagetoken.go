package microsoftsim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// pageToken is what a skip or delta token says. In a link it is opaque to clients.
type pageToken struct {
	Tenant string   `json:"t"`
	Path   string   `json:"r"`           // the resource's path
	Kind   string   `json:"k"`           // list, skip, delta
	Select []string `json:"s,omitempty"` // as the first request had it; nil: the default
	IDs    []string `json:"f,omitempty"` // the ids that a delta is limited to
	Query  string   `json:"y,omitempty"` // of a list: the whole query
	First  bool     `json:"1,omitempty"` // a first round
	From   int      `json:"p"`           // a delta tells what happened after this position
	To     int      `json:"q,omitempty"` // and up to this one, in a round that has begun
	Before int      `json:"b,omitempty"` // where the round before began, for replays
	Offset int      `json:"o,omitempty"`
	Part   int      `json:"m,omitempty"` // place within a group's members
	Hollow bool     `json:"h,omitempty"` // the empty page before this one was sent
	Page   int      `json:"n,omitempty"` // number of the page
	Issued int64    `json:"i"`
}

const checksumLength = 6

func (p *pageToken) encode() string {
	body, _ := json.Marshal(p) // plain data
	sum := sha256.Sum256(body)
	// Characters that links carry escaped in some spellings and bare in others, as the real tokens do.
	return "a~" + base64.RawURLEncoding.EncodeToString(append(sum[:checksumLength], body...)) + ".$-"
}

// parsePageToken reads a token that was decoded from a query. Links may spell it in several ways; what was
// encoded twice is taken, too.
func parsePageToken(text string) (*pageToken, bool) {
	if strings.Contains(text, "%") {
		if once, err := url.QueryUnescape(text); err == nil {
			text = once
		}
	}
	text, begins := strings.CutPrefix(text, "a~")
	text, ends := strings.CutSuffix(text, ".$-")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !begins || !ends || err != nil || len(raw) < checksumLength {
		return nil, false
	}
	sum := sha256.Sum256(raw[checksumLength:])
	if string(sum[:checksumLength]) != string(raw[:checksumLength]) {
		return nil, false
	}
	var p pageToken
	if json.Unmarshal(raw[checksumLength:], &p) != nil {
		return nil, false
	}
	return &p, true
}

// link makes the address of the next page.
func (x *exchange) link(path, name string, p *pageToken) string {
	p.Tenant, p.Path, p.Issued = x.tenant.id, path, x.s.o.Now().UnixNano()
	version, _, _ := strings.Cut(strings.Trim(x.r.URL.Path, "/"), "/")
	return x.s.URL() + "/" + version + "/" + path + "?$" + name + "=" + url.QueryEscape(p.encode())
}

// ExpireTokens ends every delta token that was handed out until now, and with skip also the tokens of pages that
// follow.
func (s *Server) ExpireTokens(skip bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now().UnixNano()
	s.quirks.deltaBefore = now
	if skip {
		s.quirks.skipBefore = now
	}
}

// continued reads the token of a request. A refusal has been answered when it is not taken.
func (x *exchange) continued(text, path string) (*pageToken, bool) {
	p, ok := parsePageToken(text)
	_, quirks := x.s.settings()
	issued := time.Unix(0, 0)
	if ok {
		issued = time.Unix(0, p.Issued)
	}
	switch {
	case !ok || p.Tenant != x.tenant.id || p.Path != path:
		x.refuse(http.StatusBadRequest, "Request_BadRequest", "The token in the link is not valid.")
	case p.Kind == "list" && p.Issued <= quirks.skipBefore:
		x.refuse(http.StatusBadRequest, "Directory_ExpiredPageToken", "The specified page token value has expired and can no longer be included in your request.")
	case p.Kind == "skip" && p.Issued <= quirks.skipBefore,
		p.Kind == "delta" && (p.Issued <= quirks.deltaBefore || x.s.o.Now().Sub(issued) > x.s.o.DeltaLife):
		x.refuse(http.StatusBadRequest, "syncStateNotFound",
			"The sync state generation is not found. The delta token is expired and data must be synchronized again.")
	default:
		return p, true
	}
	return nil, false
}
