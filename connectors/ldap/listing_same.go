package ldap

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"dirsyncd/connectors"
)

// sameEntries knows the entries of a listing again that came in the same bytes before, so that they are not even taken apart.
type sameEntries struct {
	known  func(connectors.Digest) bool
	digest connectors.Digest // of the last entry
}

// openSame returns nil where what becomes of an entry depends on others: where ids are not the server's own, where an entry can be found
// twice, and where the latest change of all is looked for.
func (l *listing) openSame(ctx context.Context, req *connectors.Request) (*sameEntries, error) {
	if req.Same == nil || l.seen != nil || l.tr.twins != nil || !l.tr.anchors[0].unique || len(l.tr.stamps) > 0 {
		return nil, nil
	}
	basis, err := l.basis()
	if err != nil {
		return nil, err
	}
	known, err := req.Same(ctx, basis)
	if err != nil || known == nil {
		return nil, err
	}
	s := &sameEntries{known: known}
	l.entry.Known = s.knows
	return s, nil
}

// basis is everything by which an entry is translated: the configuration but for who reads, and what the server says of itself.
func (l *listing) basis() (string, error) {
	cfg := l.connector.cfg
	cfg.Bind, cfg.TLS = BindConfig{}, TLSConfig{}
	settings, err := json.Marshal(cfg)
	if err != nil {
		return "", err
	}
	p := &l.preset
	return fmt.Sprintf("%s %s %v %q %q %s %t %t %q %x", settings, l.kind, l.query.lines, l.session.root.namingContexts, p.name, p.anchor, p.extendedDN, l.tr.row.extended,
		l.tr.row.names, p.schema.sum()), nil
}

// knows is the listing's wire.Entry.Known.
func (s *sameEntries) knows(body string) bool {
	sum := sha256.Sum256([]byte(body))
	s.digest = connectors.Digest(sum[:])
	return s.known(s.digest)
}

// note adds the digest of the entry that was translated last to a batch.
func (s *sameEntries) note(tr *translator, b *batch) {
	if s == nil || len(b.page.Digests) == len(b.page.Objects) {
		return
	}
	digest := s.digest
	if tr.beyond {
		digest = connectors.Digest{}
	}
	b.page.Digests = append(b.page.Digests, digest)
}
