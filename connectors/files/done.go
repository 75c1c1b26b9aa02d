package files

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"dirsyncd/sync/directory"
)

// mostReported is how many problems a report names.
const mostReported = 1000

// taken is what the last stored read of each stream knew. A run reads all streams, one after the other.
type taken struct {
	mu       sync.Mutex
	byStream map[string]*state
}

func (t *taken) note(stream string, known *state) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byStream == nil {
		t.byStream = map[string]*state{}
	}
	t.byStream[stream] = known
}

func (t *taken) by(stream string) *state {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byStream[stream]
}

// moveDone moves files that an earlier read has taken, and whose objects are stored: the state which the request brought says
// so. A dry run leaves them, and looks at them no more than one that moves them. A file that several streams read is moved by the last of them, when all have taken it.
func (r *reading) moveDone() {
	folder := filepath.ToSlash(r.cfg.Done.Folder)
	if folder == "" {
		return
	}
	r.taken.note(r.stream.name, r.before)
	if r.before == nil {
		return
	}
	for _, f := range r.before.Files {
		if r.isWanted(f) {
			continue
		}
		if err := r.moveFile(f, folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.note("%s was read and cannot be moved to %s: %v", f.Name, r.cfg.Done.Folder, err)
		}
	}
}

// isWanted reports whether another stream is still to take a file: one that comes after this one, or one before it, which may
// have looked before the file was there, or have waited for another one since.
func (r *reading) isWanted(f seen) bool {
	later := false
	for _, s := range streams() {
		if s.name == r.stream.name {
			later = true
			continue
		}
		block := r.cfg.Kinds[s.word]
		members := s.word == directory.Group.String() && matches(r.cfg.Kinds[wordMember], f.Name)
		if !matches(block, f.Name) && !members {
			continue
		}
		if later || !r.hasTaken(s.name, f, block.newest() && !members) {
			return true
		}
	}
	return false
}

// hasTaken reports whether a stream has taken a file, or, where only the newest counts, that one or a newer one.
func (r *reading) hasTaken(stream string, f seen, newest bool) bool {
	known := r.taken.by(stream)
	if was := known.file(f.Name); was != nil && was.Hash == f.Hash {
		return true
	}
	if known == nil || !newest {
		return false
	}
	info, err := r.root.Stat(filepath.FromSlash(f.Name))
	return err == nil && info.ModTime().UnixNano() < known.Newest
}

// moveFile moves one file, if it is still the one that was read.
func (r *reading) moveFile(was seen, folder string) error {
	info, err := r.root.Stat(filepath.FromSlash(was.Name))
	if err != nil {
		return err
	}
	o, err := openFile(r.root, found{name: was.Name, look: lookAt(info)}, int64(r.cfg.Limits.Size))
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }()
	if o.hash != was.Hash {
		return nil // it is a new one, which this read takes
	}
	if r.dry {
		if r.moved == nil {
			r.moved = map[string]bool{}
		}
		r.moved[was.Name] = true
		return nil
	}
	base := path.Base(was.Name)
	ext := path.Ext(base)
	stamp := r.env.Now().UTC().Format("20060102T150405Z")
	to := path.Join(folder, strings.TrimSuffix(base, ext)+"-"+stamp+"-"+was.Hash[:8]+ext)
	if err := r.root.MkdirAll(filepath.FromSlash(folder), 0o750); err != nil {
		return err
	}
	report := r.report(o)
	if err := r.root.WriteFile(filepath.FromSlash(to+".report.txt"), []byte(report), 0o600); err != nil {
		return err
	}
	return r.root.Rename(filepath.FromSlash(was.Name), filepath.FromSlash(to))
}

// report says what became of a file: it is gone over once more, which finds the same as the first time.
func (r *reading) report(o *opened) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nwritten %s, sha256 %s\n", o.name, time.Unix(0, o.Written).UTC().Format(time.RFC3339), o.hash)
	blocks := map[string]*Kind{r.stream.word: &r.block}
	if r.members != nil {
		blocks[wordMember] = r.members
	}
	for _, word := range []string{r.stream.word, wordMember} {
		k := blocks[word]
		if k == nil || !matches(*k, o.name) {
			continue
		}
		v := &surveyor{ctx: r.ctx, problems: mostReported, whole: true}
		err := v.source(&source{file: o, word: word, kind: k, limits: r.limits, rows: r.cfg.Limits.Rows, layouts: r.layouts})
		for _, s := range v.survey.Sheets {
			fmt.Fprintf(&b, "\n%s%s: %d rows, %d of them could not be read\n", word, inWords(s.Name), s.Rows, s.Bad)
			for _, p := range s.Problems {
				fmt.Fprintf(&b, "  line %d%s: %s\n", p.Line, columnInWords(p.Column), p.Reason)
			}
			if s.Bad > 0 && len(s.Problems) == mostReported {
				fmt.Fprintln(&b, "  and more")
			}
			for _, text := range slices.Concat(s.Doubts, s.Notes) {
				fmt.Fprintf(&b, "  %s\n", text)
			}
		}
		if err != nil {
			fmt.Fprintf(&b, "\n%s: %v\n", word, err)
		}
	}
	return b.String()
}

func inWords(sheet string) string {
	if sheet == "" {
		return ""
	}
	return fmt.Sprintf(", sheet %q", sheet)
}

func columnInWords(column string) string {
	if column == "" {
		return ""
	}
	return fmt.Sprintf(", column %q", column)
}

func matches(k Kind, name string) bool {
	return slices.ContainsFunc([]string(k.File), func(pattern string) bool {
		match, _ := path.Match(path.Clean(filepath.ToSlash(pattern)), name)
		return match
	})
}
