package ldap

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// restPeriod is how long a server that failed is tried after the others.
const restPeriod = 5 * time.Minute

// servers finds the addresses of the configured servers and remembers which of them failed lately. It is safe for
// concurrent use.
type servers struct {
	names  []string // as configured
	lookup func(ctx context.Context, name string) ([]located, error)
	now    func() time.Time

	mu       sync.Mutex
	failures map[string]time.Time
	last     string // the address that worked last
}

// located is the address of a server.
type located struct {
	// address is ldap:// or ldaps://, with host and, if it is not the usual one, port.
	address string
	// rank says where the address stands among others that were found by the same name: of those with one rank any
	// may be taken. Lower ranks come first.
	rank uint16
}

// addresses yields the addresses to try, one after the other, and the errors of names for which none could be found:
// as configured, those that failed lately behind the others. What is found in DNS is looked up anew on every call,
// and only when what comes before it did not do. An address on the host, if that is not empty, comes before all
// others: what was learnt from one server may be worth nothing on another.
func (s *servers) addresses(ctx context.Context, host string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		search := addressSearch{servers: s, ctx: ctx, found: make(map[string][]located), failed: make(map[string]error)}
		if host != "" {
			if address, ok := search.onHost(host); ok && !yield(address, nil) {
				return
			}
		}
		for _, name := range s.names {
			list, err := search.find(name)
			if err != nil && !yield("", err) {
				return
			}
			for _, l := range list {
				if search.fresh(l.address) && !yield(l.address, nil) {
					return
				}
			}
		}
		for _, address := range search.resting {
			if !yield(address, nil) {
				return
			}
		}
	}
}

// addressSearch is one pass over the addresses.
type addressSearch struct {
	servers *servers
	ctx     context.Context
	found   map[string][]located
	failed  map[string]error
	tried   []string
	resting []string
}

// find looks a name up, once.
func (a *addressSearch) find(name string) ([]located, error) {
	if !discovered(name) {
		return []located{{address: name}}, nil
	}
	list, known := a.found[name]
	if err, failed := a.failed[name]; known || failed {
		return list, err
	}
	list, err := a.servers.lookup(a.ctx, name)
	if err != nil {
		a.failed[name] = err
		return nil, err
	}
	a.found[name] = a.servers.lastFirst(list)
	return a.found[name], nil
}

// fresh reports whether an address is to be tried now. One that failed lately is put off.
func (a *addressSearch) fresh(address string) bool {
	if slices.Contains(a.tried, address) {
		return false
	}
	a.tried = append(a.tried, address)
	if a.servers.rests(address) {
		a.resting = append(a.resting, address)
		return false
	}
	return true
}

// onHost finds an address on a host, among those that need no look-up first.
func (a *addressSearch) onHost(host string) (string, bool) {
	for _, inDNS := range []bool{false, true} {
		for _, name := range a.servers.names {
			if discovered(name) != inDNS {
				continue
			}
			list, _ := a.find(name) // an error is told when it is the name's turn
			for _, l := range list {
				if hostOf(l.address) == host {
					return l.address, a.fresh(l.address)
				}
			}
		}
	}
	return "", false
}

// lastFirst puts the address that worked last before the others of its rank.
func (s *servers) lastFirst(list []located) []located {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(list, func(l located) bool { return l.address == s.last })
	if i < 0 {
		return list
	}
	first := slices.IndexFunc(list, func(l located) bool { return l.rank == list[i].rank })
	last := list[i]
	copy(list[first+1:i+1], list[first:i])
	list[first] = last
	return list
}

func (s *servers) rests(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.failures[address]
	return ok && s.now().Sub(at) < restPeriod
}

// failed notes that a server broke a connection or could not be reached.
func (s *servers) failed(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures == nil {
		s.failures = make(map[string]time.Time)
	}
	s.failures[address] = s.now()
}

// worked notes that a server let us in.
func (s *servers) worked(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = address
}

// hostOf returns the host of an address, in small letters.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
