package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"dirsyncd/sync/settings/strict"
)

const includeKey = "include"

// Text is a configuration as it is written: its file, and those that the file includes. It may hold secrets.
type Text struct {
	File     string
	Data     []byte
	Included []Included // in the order in which they were named, and by name

	exposed bool // everybody on the machine can read the file
}

// Included is a file that another one includes.
type Included struct {
	Pattern string // as it is written
	Text
	err error // why it cannot be read
}

// Read reads a configuration file and those that it includes. The error is an *Error; what is wrong with a file that is included is
// told by Load, with its place.
func Read(file string) (*Text, error) {
	data, mode, err := readFile(file)
	if err != nil {
		return nil, &Error{[]Problem{missingFile(file, err)}}
	}
	t := &Text{File: file, Data: data, exposed: mode&0o004 != 0}
	t.include()
	return t, nil
}

// include reads the files that the file includes.
func (t *Text) include() {
	if !bytes.Contains(t.Data, []byte(includeKey)) {
		return
	}
	list := strict.Parse(t.Data, strict.Options{}).Root().Get(includeKey)
	if list.Kind() != strict.List {
		return // Load says what is wrong with it
	}
	items, _ := list.Items()
	for _, item := range items {
		pattern := item.Literal()
		for _, name := range t.find(pattern) {
			data, mode, err := readFile(name)
			t.Included = append(t.Included, Included{Pattern: pattern, Text: Text{File: name, Data: data, exposed: mode&0o004 != 0}, err: err})
		}
	}
}

// find lists the files that a pattern names, but for those whose name begins with a dot: editors leave such things behind.
func (t *Text) find(pattern string) []string {
	path := pattern
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(t.File), path)
	}
	if !isPattern(pattern) {
		return []string{path}
	}
	names, _ := filepath.Glob(path) // a pattern that is none is told by Load
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(filepath.Base(name), ".") })
}

func isPattern(name string) bool { return strings.ContainsAny(name, `*?[`) }

// Sum tells the text from others, from wherever it is looked at.
func (t *Text) Sum() string {
	h := sha256.New()
	h.Write(t.Data) // a hash never fails
	for _, part := range t.Included {
		own := sha256.Sum256(part.Data)
		h.Write([]byte(filepath.Base(part.File)))
		h.Write(own[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// parsed is a file of the configuration.
type parsed struct {
	file string
	doc  *strict.Document
}

// parse parses a file of the configuration.
func (l *loader) parse(t *Text) (*strict.Document, error) {
	dir, err := filepath.Abs(filepath.Dir(t.File))
	if err != nil {
		return nil, err
	}
	doc := strict.Parse(t.Data, strict.Options{Dir: dir, LookupEnv: l.parts.LookupEnv, Exposed: t.exposed, Blind: l.parts.Blind})
	l.files = append(l.files, parsed{t.File, doc})
	return doc, nil
}

// included returns the roots of the files that the configuration includes; false when one of them cannot be read: nobody knows what
// it has, and what others name may stand there.
func (l *loader) included(list strict.Value) (roots []strict.Value, whole bool) {
	if list.Kind() != strict.List {
		return nil, list.Kind() == strict.None
	}
	whole = true
	items, _ := list.Items()
	for _, item := range items {
		pattern, found := item.Literal(), false
		for i := range l.text.Included {
			part := &l.text.Included[i]
			if part.Pattern != pattern {
				continue
			}
			found = true
			err := part.err
			var doc *strict.Document
			if err == nil {
				doc, err = l.parse(&part.Text)
			}
			if err != nil {
				missing := missingFile(part.File, err)
				if errors.Is(err, fs.ErrNotExist) {
					missing.Hint = "relative names start in the folder of " + l.text.File
				}
				item.Problem(missing.Hint, "%s: %s: %s", item.Label(), part.File, missing.Message)
				whole = false
				continue
			}
			if root := doc.Root(); root.Kind() == strict.None {
				whole = false
			} else {
				roots = append(roots, root)
			}
		}
		if _, err := filepath.Match(pattern, ""); err != nil {
			item.Problem("", "%s: %q is not a pattern of names", item.Label(), short(pattern))
		} else if !found && pattern != "" {
			item.Warn("", "%s: there is no file %s", item.Label(), short(pattern))
		}
	}
	return roots, whole
}
