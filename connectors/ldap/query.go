package ldap

import (
	"fmt"
	"strings"

	"dirsyncd/sync/directory"
)

// query is what a stream reads.
type query struct {
	bases    []string
	scope    int
	filter   string
	pageSize int
	identity string // who reads
	word     string // of the scope
}

func newQuery(kind directory.Kind, p preset, cfg *Config, identity string) query {
	search, filter := cfg.Users, p.userFilter
	if kind == directory.Group {
		search, filter = cfg.Groups, p.groupFilter
	}
	q := query{bases: cfg.Base, scope: scopes[search.Scope], filter: filter, pageSize: cfg.PageSize, identity: identity, word: search.Scope}
	if len(search.Base) > 0 {
		q.bases = search.Base
	}
	if search.Filter != "" {
		q.filter = search.Filter
	}
	if q.word == "" {
		q.word = "sub"
	}
	return q
}

// String is the scope of the stream's proofs. The servers are replicas of each other, so their names are not
// part of it; who asks is, since rights decide what is seen.
func (q query) String() string {
	return fmt.Sprintf("bases %q, scope %s, filter %s, as %s", strings.Join(q.bases, "; "), q.word, q.filter, q.identity)
}
