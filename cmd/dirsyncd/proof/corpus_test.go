package proof

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"log/slog"

	"dirsyncd/connectors"
	"dirsyncd/sync/engine"
)

// wrong is one case of the corpus: what goes wrong where.
type wrong struct {
	line      int
	connector string
	// where is the part of the source that is struck: a stream, a request, a moment. kind is what happens there.
	where, kind string
	full        bool // the run that meets it reads in full
	// after is how many requests, pages or entries go well first; times is how often it strikes, 0: until mended.
	after, times int
	code         int    // a status or result code
	text         string // what more the kind needs
}

func (w *wrong) String() string {
	mode := "delta"
	if w.full {
		mode = "full"
	}
	text := fmt.Sprintf("%s %s %s %s", w.connector, w.where, mode, w.kind)
	for _, part := range []struct {
		word string
		n    int
	}{{"after", w.after}, {"times", w.times}, {"code", w.code}} {
		if part.n != 0 {
			text += fmt.Sprintf(" %s=%d", part.word, part.n)
		}
	}
	if w.text != "" {
		text += " " + w.text
	}
	return text
}

// TestNothingIsRemovedWithoutProof puts every case of the corpus to its connector. While it lasts, nobody and
// nothing is touched that did not change at the source, and the run says that something is wrong, unless it got the
// whole truth all the same. Once it is over, two more runs tell the whole truth, without anybody's approval. The race detector sees a
// third of the cases, of every connector: all of them have a step of the gate without it.
func TestNothingIsRemovedWithoutProof(t *testing.T) {
	cases := readCorpus(t, "testdata/corpus.txt")
	counts := map[string]int{}
	t.Run("cases", func(t *testing.T) {
		met := map[string]int{}
		for _, c := range cases {
			if met[c.connector]++; underRace && met[c.connector]%3 != 1 {
				continue
			}
			counts[c.connector]++
			t.Run(fmt.Sprintf("%s line %d", c.connector, c.line), func(t *testing.T) {
				t.Parallel()
				c.try(t)
			})
		}
	})
	tried := 0
	for _, n := range counts {
		tried += n
	}
	t.Logf("%d cases: %v", tried, counts)
}

func (w *wrong) try(t *testing.T) {
	begin, ok := worlds()[w.connector]
	if !ok {
		t.Fatalf("line %d: there is no connector %q", w.line, w.connector)
	}
	p := begin(t)
	r := newRig(t, nil)
	r.engine = engine.New(r.store, engine.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now, Sleep: instantly})
	open := func() {
		if r.conn.Source != nil {
			_ = r.conn.Source.Close()
		}
		r.conn.Source = p.open(t, quietEnv())
	}
	open()
	r.mustRun("first sync", engine.Job{})
	r.mustRun("second sync", engine.Job{})
	before := r.records()

	p.leave(t)
	p.join(t)
	usual := p.timeout
	if w.kind == "hang" || w.kind == "black-hole" {
		p.timeout = 300 * time.Millisecond // too short for a busy machine as well, which is one more fault
	}
	p.hurt(t, w)
	open() // an edited configuration, and a process that starts while things are wrong
	results := r.run(engine.Job{Full: w.full})
	during := r.records()
	p.mend()
	p.timeout = usual

	open()
	fresh := newRig(t, p.open(t, quietEnv()))
	fresh.mustRun("fresh start", engine.Job{})
	want := fresh.records()
	if slices.Equal(before, want) {
		t.Fatalf("%s: nothing changed at the source", w)
	}
	for _, line := range before {
		_, stays := slices.BinarySearch(want, line)
		if _, is := slices.BinarySearch(during, line); stays && !is {
			t.Errorf("%s: this is still so at the source, but was changed: %s", w, line)
		}
	}
	said := told(results)
	t.Logf("%s: %s", w, said)
	if said == "clean" && !slices.Equal(during, want) {
		t.Errorf("%s: the run calls itself clean, but the records are not the truth:\n%s", w, differences(during, want))
	}
	for range 2 {
		results = r.run(engine.Job{})
	}
	if diff := differences(r.records(), want); diff != "" {
		t.Errorf("%s: two runs later the records are not the truth: %s\n%s", w, told(results), diff)
	}
	_ = r.conn.Source.Close()
}

func quietEnv() connectors.Env {
	return connectors.Env{Connection: "proof", Log: slog.New(slog.DiscardHandler), Now: time.Now, Sleep: instantly}
}

// told puts together what runs say of themselves.
func told(results []engine.Result) string {
	var words []string
	for _, res := range results {
		if res.Run.Outcome != engine.Clean || len(res.Run.Notes) > 0 {
			words = append(words, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", res.Partition.Tenant, res.Run.Outcome, res.Run.Error, strings.Join(res.Run.Notes, "; "))))
		}
	}
	if len(words) == 0 {
		return "clean"
	}
	return strings.Join(words, " | ")
}

// readCorpus reads the cases: a line each, of the connector, where, full or delta, the kind, and more words.
func readCorpus(t *testing.T, path string) (list []*wrong) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		text, _, _ := strings.Cut(sc.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if len(words) < 4 {
			t.Fatalf("%s:%d: too few words", path, n)
		}
		w := &wrong{line: n, connector: words[0], where: words[1], full: words[2] == "full", kind: words[3]}
		for _, word := range words[4:] {
			key, value, _ := strings.Cut(word, "=")
			number, err := strconv.Atoi(value)
			switch key {
			case "after":
				w.after = number
			case "times":
				w.times = number
			case "code":
				w.code = number
			default:
				w.text, err = word, nil
			}
			if err != nil {
				t.Fatalf("%s:%d: %v", path, n, err)
			}
		}
		list = append(list, w)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}
