package e2e

import (
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"dirsyncd/connectors/ldap/slapdtest"
	"dirsyncd/connectors/sim/delineasim"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/targets/rest/redminetest"
	"dirsyncd/sync/targets/rest/rttest"
)

// Secrets that the program is given. None of them may ever show.
const (
	readerPassword = "reader-secret-c41a"
	wrongPassword  = "wrong-secret-8be0"
	webhookKey     = "a key of thirty-two bytes for us"
	headerToken    = "token-secret-5d77"
	appSecret      = "cloud-secret-48f1"
	oktaToken      = "okta-secret-77aa"
)

func webhookSecret() string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(webhookKey)) }

func secrets() []string {
	return append((&slapdtest.Server{}).Secrets(), postgrestest.AdminPassword, readerPassword, wrongPassword, webhookKey, headerToken, appSecret, oktaToken, delineasim.Secret, rttest.Password, redminetest.Key,
		strings.TrimPrefix(webhookSecret(), "whsec_"))
}

// binary is the program under test, built by TestMain.
var binary string

// everything is what all processes of all tests wrote.
var everything transcript

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	debug.SetGCPercent(400) // journals are many small values
	waitTogether()
	dir, err := os.MkdirTemp("", "dirsyncd-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "dirsyncd")
	if out, err := build(binary); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	for _, leak := range everything.leaks() {
		fmt.Fprintln(os.Stderr, "FAIL:", leak)
		code = 1
	}
	return code
}

// waitTogether lets more tests run at a time than there are processors: most of them wait for a server that is
// away, or for the next minute.
func waitTogether() {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("6")
	}
}

func build(to string) ([]byte, error) {
	args := []string{"build", "-o", to}
	if raceDetector {
		args = append(args, "-race")
	}
	return exec.Command("go", append(args, "dirsyncd/cmd/dirsyncd")...).CombinedOutput()
}

// transcript keeps all output of all processes, to be searched at the end.
type transcript struct {
	mu    sync.Mutex
	tapes []*tape
}

// tape takes what a process writes to one of its outputs. It may be read while the process runs.
type tape struct {
	of string // test and command
	// log is set for logs at level info, which hold no personal data.
	log bool

	mu   sync.Mutex
	data []byte
}

func (tr *transcript) record(of string, log bool) *tape {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tp := &tape{of: of, log: log}
	tr.tapes = append(tr.tapes, tp)
	return tp
}

func (tp *tape) Write(p []byte) (int, error) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.data = append(tp.data, p...)
	return len(p), nil
}

func (tp *tape) String() string {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return string(tp.data)
}

// personal finds names, addresses, logins and numbers of the population.
var personal = regexp.MustCompile(`@example\.test|uid=|\+44 20|\b(Ada|Björn|Chloé|Dmitri|Elif|Femi|Hiro|Jamal|Brandt|Dupont|Eriksen|García|Hughes|Jansen)\b`)

var debugLine = regexp.MustCompile(`(?m)^.*"level":"DEBUG".*$`)

// leaks lists secrets in any output, personal data in logs, and data races.
func (tr *transcript) leaks() (found []string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, tp := range tr.tapes {
		text := tp.String()
		for _, secret := range secrets() {
			if i := strings.Index(text, secret); i >= 0 {
				found = append(found, fmt.Sprintf("%s: a secret was written: %s", tp.of, around(text, i)))
			}
		}
		if tp.log { // at debug people are named
			text = debugLine.ReplaceAllString(text, "")
		}
		if at := personal.FindStringIndex(text); tp.log && at != nil {
			found = append(found, fmt.Sprintf("%s: personal data in the log: %s", tp.of, around(text, at[0])))
		}
		if i := strings.Index(text, "WARNING: DATA RACE"); i >= 0 {
			found = append(found, fmt.Sprintf("%s: %s", tp.of, text[i:min(len(text), i+4000)]))
		}
	}
	return found
}

func around(text string, i int) string {
	return fmt.Sprintf("%q", text[max(0, i-120):min(len(text), i+120)])
}

func TestTranscriptFindsLeaks(t *testing.T) {
	for _, test := range []struct {
		text string
		log  bool
		want int
	}{
		{"run ended, read 10000", true, 0},
		{"bind with " + readerPassword, false, 1},
		{"create user Ada Ames", false, 0},
		{"create user Ada Ames", true, 1},
		{"p17@example.test", true, 1},
		{`{"level":"DEBUG","name":"Ada Ames"}` + "\n", true, 0},
		{"WARNING: DATA RACE", false, 1},
	} {
		var tr transcript
		_, _ = tr.record("test", test.log).Write([]byte(test.text))
		if found := tr.leaks(); len(found) != test.want {
			t.Errorf("%q as log %t: found %q", test.text, test.log, found)
		}
	}
}
