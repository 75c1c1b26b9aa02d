package files

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// state is what was read of a stream, and from what: the cursor of a stream, and, without what changes although the files
// are the same, what it knew (connectors.Page.Known).
type state struct {
	Stream string `json:"stream"`
	// Settings is a fingerprint of the configuration under which it was read.
	Settings string `json:"settings"`
	Files    []seen `json:"files"`
	// Newest is when the newest file that was ever read was written, those of members aside, and NewestHash what was in it.
	Newest     int64    `json:"newest"`
	NewestHash string   `json:"newest_hash"`
	Scope      string   `json:"scope"`
	Reads      []string `json:"reads"`
}

// seen is a file that was read.
type seen struct {
	Name string `json:"name"`
	Hash string `json:"hash"`
	Look *look  `json:"look,omitempty"`
}

func parseState(data []byte) (*state, bool) {
	var s state
	if len(data) == 0 || json.Unmarshal(data, &s) != nil {
		return nil, false
	}
	return &s, s.Stream != "" && s.Settings != ""
}

func (s *state) cursor() []byte {
	data, err := json.Marshal(s)
	if err != nil {
		return nil // texts and numbers
	}
	return data
}

func (s *state) known() []byte {
	plain := *s
	plain.Files = slices.Clone(s.Files)
	for i := range plain.Files {
		plain.Files[i].Look = nil
	}
	return plain.cursor()
}

func (s *state) file(name string) *seen {
	if s == nil {
		return nil
	}
	i := slices.IndexFunc(s.Files, func(f seen) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Files[i]
}

// add notes a file that was read, or found as it was.
func (s *state) add(name, hash string, l look) {
	s.Files = append(s.Files, seen{Name: name, Hash: hash, Look: &l})
	slices.SortFunc(s.Files, func(a, b seen) int { return strings.Compare(a.Name, b.Name) })
}

// settings is a fingerprint of everything that decides what is made of the files of a stream.
func (c *Connector) settings(s stream) string {
	data, err := json.Marshal(struct {
		Folder, Word string
		Kinds        map[string]Kind
	}{string(c.cfg.Folder), s.word, c.cfg.Kinds})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
