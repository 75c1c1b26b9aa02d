package proof

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/files"
	"dirsyncd/sync/settings"
)

// folder holds the files of a company, as a program exports them: with a last line that counts the others.
type folder struct {
	t      *testing.T
	path   string
	people [][]string // number, name, mail, manager, site
	groups [][]string // number, name, members
	sites  [][]string // number, name, customer
	named  int
}

// filesWorld is a folder in which what a file does not name any more is gone.
func filesWorld(t *testing.T) *world {
	f := &folder{t: t, path: t.TempDir()}
	for i := range 4 {
		f.sites = append(f.sites, []string{fmt.Sprint(i), fmt.Sprint("Site ", i), fmt.Sprint(1 + i%2)})
	}
	for i := range 40 {
		f.people = append(f.people, []string{fmt.Sprintf("%04d", i), fmt.Sprint("Person ", i), fmt.Sprintf("p%d@acme.test", i), fmt.Sprintf("%04d", i/7), fmt.Sprint(i % 4)})
	}
	for i := range 5 {
		f.groups = append(f.groups, []string{fmt.Sprint(i), fmt.Sprint("Group ", i), fmt.Sprintf("%04d,%04d,%04d", i, i+7, i+20)})
	}
	f.write()
	w := &world{
		name: "files", timeout: patience,
		open: func(t *testing.T, env connectors.Env) connectors.Connector {
			cfg := files.Defaults()
			f.configure(cfg)
			c, err := files.Factory().Open(cfg, env)
			check(t, err)
			return c
		},
		join:  func(*testing.T) { f.join(); f.write() },
		leave: func(*testing.T) { f.people = slices.Delete(f.people, 3, 4); f.write() },
		mend:  f.write,
	}
	w.change = func(_ *testing.T, rnd *rand.Rand) bool {
		defer f.write()
		person, group := pick(rnd, f.people), pick(rnd, f.groups)
		switch rnd.IntN(7) {
		case 0:
			f.join()
		case 1:
			if len(f.people) < 10 {
				return false
			}
			i := rnd.IntN(len(f.people))
			f.people = slices.Delete(f.people, i, i+1)
		case 2:
			person[1] = f.next()
		case 3:
			person[3], person[4] = pick(rnd, f.people)[0], pick(rnd, f.sites)[0]
		case 4:
			pick(rnd, f.sites)[1] = f.next()
		case 5:
			group[2] = strings.Join([]string{pick(rnd, f.people)[0], pick(rnd, f.people)[0]}, ",")
		default:
			group[1] = f.next()
		}
		return true
	}
	w.hurt = f.hurt
	return w
}

func (f *folder) next() string {
	f.named++
	return fmt.Sprint("new", f.named)
}

func (f *folder) join() {
	f.next()
	f.people = append(f.people, []string{fmt.Sprint(5000 + f.named), fmt.Sprint("New ", f.named), fmt.Sprintf("new%d@acme.test", f.named), "0001", "1"})
}

// configure has every kind read, and absence mean something.
func (f *folder) configure(cfg *files.Config) {
	cfg.Folder, cfg.Settle, cfg.Kinds = settings.Path(f.path), 0, map[string]files.Kind{}
	for word, name := range map[string]string{"customer": "customers", "site": "sites", "person": "people", "group": "groups", "device": "devices"} {
		k := files.Kind{File: settings.Names{name + ".csv"}, Absent: "gone", Trailer: files.TrailerConfig{Begins: "END", Count: 2}}
		k.Key = settings.Names{"number"}
		if word == "group" {
			k.Separator = ","
		}
		cfg.Kinds[word] = k
	}
}

func (f *folder) table(header string, rows [][]string) string {
	var b strings.Builder
	fmt.Fprintln(&b, header)
	for _, row := range rows {
		fmt.Fprintln(&b, strings.Join(row, ";"))
	}
	fmt.Fprintf(&b, "END;%d\n", len(rows))
	return b.String()
}

// put writes a file and renames it into its place.
func (f *folder) put(name, text string) {
	f.t.Helper()
	from, to := filepath.Join(f.path, "new.tmp"), filepath.Join(f.path, name)
	if is, err := os.ReadFile(to); err == nil && string(is) == text {
		return
	}
	check(f.t, os.WriteFile(from, []byte(text), 0o600))
	check(f.t, os.Rename(from, to))
}

func (f *folder) write() {
	f.t.Helper()
	check(f.t, os.MkdirAll(f.path, 0o700))
	for _, name := range []string{"people.csv", "groups.csv", "sites.csv"} {
		if info, err := os.Stat(filepath.Join(f.path, name)); err == nil && info.IsDir() {
			check(f.t, os.Remove(filepath.Join(f.path, name)))
		}
	}
	f.put("customers.csv", f.table("number;name;domain", [][]string{{"1", "Acme", "acme.test"}, {"2", "Beta", "beta.test"}}))
	f.put("devices.csv", f.table("number;name;owner", [][]string{{"1", "Laptop", "0001"}, {"2", "Phone", "0002"}}))
	f.put("people.csv", f.table("number;name;email;manager;site", f.people))
	f.put("groups.csv", f.table("number;name;members", f.groups))
	f.put("sites.csv", f.table("number;name;customer", f.sites))
}

// hurt does to a file what happens to files.
func (f *folder) hurt(t *testing.T, w *wrong) {
	t.Helper()
	name := w.where + ".csv"
	path := filepath.Join(f.path, name)
	data, err := os.ReadFile(path)
	check(t, err)
	lines := bytes.SplitAfter(data, []byte("\n"))
	from := min(max(w.after, 1), len(lines)-2)
	switch w.kind {
	case "cut": // in the middle of a line
		f.put(name, string(bytes.Join(lines[:from], nil))+string(lines[from][:3]))
	case "cut-cell": // in the last cell of a line
		f.put(name, string(bytes.Join(lines[:from], nil))+string(lines[from][:len(lines[from])-2]))
	case "cut-line": // behind one
		f.put(name, string(bytes.Join(lines[:from], nil)))
	case "shorter": // and its trailer is still there
		f.put(name, string(bytes.Join(append(slices.Clone(lines[:from]), lines[len(lines)-2:]...), nil)))
	case "nothing": // an export that found nothing, and says so
		f.put(name, string(lines[0])+"END;0\n")
	case "empty":
		f.put(name, "")
	case "zeros": // a disk was full, or a machine lost its power
		f.put(name, string(bytes.Join(lines[:from], nil))+strings.Repeat("\x00", 4096))
	case "quote": // that is not closed
		lines[from] = append([]byte(`"`), lines[from]...)
		f.put(name, string(bytes.Join(lines, nil)))
	case "twice":
		lines = slices.Insert(lines, from, lines[1])
		f.put(name, string(bytes.Join(lines, nil)))
	case "no-key":
		lines[from] = append([]byte(nil), lines[from][bytes.IndexByte(lines[from], ';'):]...)
		f.put(name, string(bytes.Join(lines, nil)))
	case "other-columns":
		f.put(name, strings.Replace(string(data), w.text, "other", 1))
	case "other-separator":
		f.put(name, strings.ReplaceAll(string(data), ";", "\t"))
	case "page": // of a proxy or a portal
		f.put(name, "<!DOCTYPE html><html><body>Sign in to go on; please</body></html>\n")
	case "noise":
		f.put(name, string(bytes.Repeat([]byte{0x81, 0x8D, 0, 0xFF, 0xC0, ';', '\n'}, 500)))
	case "gone":
		check(t, os.Remove(path))
	case "folder":
		check(t, os.Remove(path))
		check(t, os.Mkdir(path, 0o700))
	case "unmounted":
		check(t, os.RemoveAll(f.path))
		check(t, os.Mkdir(f.path, 0o700))
	default:
		t.Fatalf("line %d: files do not know %q", w.line, w.kind)
	}
}
