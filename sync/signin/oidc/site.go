package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/fault"
)

// authority is where an issuer publishes what it is, and what it may call itself there.
type authority struct {
	discovery string // the address of the document
	// issuer is the exact name. Blank: the name is pinned, which means that the first one that accept takes is the only one from then on.
	issuer string
	accept func(issuer string) bool
	// tenant stands for {tenantid} in what keys say of whose tokens they sign.
	tenant string
	// frame is an issuer with {tenantid} in it: the authority begins sign-ins for many tenants and verifies nothing.
	frame string
}

// site is what an authority publishes.
type site struct {
	p    *Provider
	at   authority
	file string // its part of the names in Kept
	doc  *document[discovery]

	mu   sync.Mutex
	keys map[string]*document[keySet] // by address; more than one when the provider moves its keys
	date time.Time                    // what its clock said, and when
	when time.Time
}

func newSite(p *Provider, at authority) *site {
	sum := sha256.Sum256([]byte(at.discovery))
	s := &site{p: p, at: at, file: hex.EncodeToString(sum[:8]), keys: map[string]*document[keySet]{}}
	s.doc = newDocument(p, "discovery/"+s.file, func(ctx context.Context) ([]byte, error) {
		return s.get(ctx, "read the discovery document", at.discovery)
	}, s.readDiscovery)
	return s
}

// discovery returns the site's document. Errors are a *signin.Refusal.
func (s *site) discovery(ctx context.Context) (*discovery, error) {
	d, err := s.doc.get(ctx)
	return d, unreachable(err)
}

// keySet returns the document of keys at an address.
func (s *site) keySet(address string) *document[keySet] {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.keys[address]
	if d == nil {
		if len(s.keys) > 3 { // it moves them all the time: only the newest count
			clear(s.keys)
		}
		sum := sha256.Sum256([]byte(address))
		d = newDocument(s.p, "keys/"+s.file+"-"+hex.EncodeToString(sum[:4]), func(ctx context.Context) ([]byte, error) {
			return s.get(ctx, "read the keys", address)
		}, func(data []byte, _ *keySet) (*keySet, error) {
			set, err := readKeys(data)
			if err != nil {
				return nil, &fault.Error{Class: fault.Configuration, Op: "read the keys", Where: address, Err: err}
			}
			return set, nil
		})
		s.keys[address] = d
	}
	return d
}

// get fetches one of the site's documents: https, at most 256 KiB, no redirect to another host.
func (s *site) get(ctx context.Context, op, address string) ([]byte, error) {
	const most = 256 << 10
	ctx, cancel := context.WithTimeout(ctx, answers)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: op, Where: address, Err: errors.New("the address cannot be used")}
	}
	req.Header.Set("Accept", "application/json")
	status, header, body, err := s.p.send(req, most)
	switch {
	case errors.Is(err, errOtherHost):
		return nil, &fault.Error{
			Class: fault.Configuration, Op: op, Where: address, Err: errOtherHost, Hint: "write the address where the provider really is",
		}
	case err != nil:
		return nil, &fault.Error{Class: fault.Transient, Op: op, Where: address, Err: err}
	}
	s.clock(header)
	if status != http.StatusOK {
		hint := ""
		if status == http.StatusNotFound || status == http.StatusBadRequest {
			hint = "is the address right? A tenant, flow or application that is not there looks like this"
		}
		return nil, &fault.Error{Class: fault.Transient, Op: op, Where: address, Err: errors.New("status " + http.StatusText(status)), Hint: hint}
	}
	return body, nil
}

// clock notes what the provider's clock says, to the second.
func (s *site) clock(header http.Header) {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.date, s.when = date, s.p.o.Now()
}

// ahead is how far the provider's clock was before ours, and when; false when it has not said.
func (s *site) ahead() (ahead time.Duration, said bool, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.date.Sub(s.when.Truncate(time.Second)), !s.date.IsZero(), s.when
}

// readDiscovery checks that a document is the authority's own.
func (s *site) readDiscovery(data []byte, before *discovery) (*discovery, error) {
	d, err := readDiscovery(data)
	if err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read the discovery document", Where: s.at.discovery, Err: err}
	}
	wrong := func(expected string) error {
		return &fault.Error{
			Class: fault.Configuration, Op: "read the discovery document", Where: s.at.discovery,
			Err:  errors.New("the issuer is " + bounded(d.Issuer) + ", expected " + expected),
			Hint: "if that is right, write it as `issuer`, letter by letter",
		}
	}
	switch {
	case s.at.frame != "":
		if d.Issuer != s.at.frame {
			return nil, wrong(s.at.frame)
		}
	case s.at.issuer != "":
		if d.Issuer != s.at.issuer {
			return nil, wrong(s.at.issuer)
		}
	case before != nil:
		if d.Issuer != before.Issuer {
			return nil, wrong(before.Issuer + ", as before")
		}
	case !s.at.accept(d.Issuer):
		return nil, wrong("one of the same provider")
	}
	return d, nil
}

// keyIssuer reports whether a key that names its issuer, as those of Entra do, is one for this issuer.
func keyIssuer(key, issuer, tenant string) bool {
	return key == "" || strings.ReplaceAll(key, tenantFrame, tenant) == issuer
}
