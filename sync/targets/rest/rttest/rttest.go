// Package rttest starts a real Request Tracker for tests, with its REST 2: Debian's package on an SQLite database of its own.
// Nothing of an installed Request Tracker is read or changed.
package rttest

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/targets/rest/internal/program"
)

// Packages is what to install, for people to read.
const Packages = "request-tracker5 rt5-db-sqlite rt5-standalone"

// The account of the tests. The password is a mark that no log, error or report may show.
const (
	User     = "sync"
	Password = "rt-secret-6c1d"
)

// Mark is the custom field of people and groups that takes the mark.
const Mark = "dirsync"

// Person is somebody who is there before a test begins.
type Person = program.Person

//go:embed initialdata.pl
var initialdata string

// Server is a Request Tracker that runs until its test is over.
type Server struct {
	*program.Service
	// REST is the base URL of its REST 2.
	REST string
	dir  string
}

// Options say what else a server has.
type Options struct {
	// Settings are lines of its RT_SiteConfig.pm.
	Settings string
	// People are there before, as Request Tracker itself would have made them.
	People []Person
	// Workers is how many requests it works on at a time; 2 if it is 0.
	Workers int
}

// site is its configuration. Hashing passwords is made cheap, since every request brings one; mails become a file.
const site = `use utf8;
Set($rtname, 'rt.example.test');
Set($Organization, 'rt.example.test');
Set($WebDomain, '127.0.0.1');
Set($WebPort, %[2]d);
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '%[1]s/rt.db');
Set($BcryptCost, 4);
Set($MailCommand, 'mbox');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
Set($WebSessionClass, 'Apache::Session::File');
$RT::VarPath = $RT::MasonDataDir = $RT::MasonSessionDir = '%[1]s/var';
%[3]s
1;
`

// Start starts one. The test is skipped where there is none, and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	const server = "/usr/share/request-tracker5/libexec/rt-server"
	version := program.Version(tb, "request-tracker5")
	if version == "" || program.Version(tb, "rt5-db-sqlite") == "" || program.Version(tb, "rt5-standalone") == "" {
		program.Missing(tb, "Request Tracker 5", Packages)
	}
	dir, port := program.Folder(tb), program.Port(tb)
	for _, name := range []string{"var", "conf.d"} {
		program.Check(tb, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	program.Write(tb, filepath.Join(dir, "RT_SiteConfig.pm"), fmt.Sprintf(site, dir, port, o.Settings))
	p := program.Program{Dir: dir, Env: []string{"RT_SITE_CONFIG=" + filepath.Join(dir, "RT_SiteConfig.pm"), "RT_SITE_CONFIG_DIR=" + filepath.Join(dir, "conf.d")}}
	database, data := filepath.Join(dir, "rt.db"), filepath.Join(dir, "initialdata.pl")
	program.Kept(tb, database, "rt", []string{version, initialdata, site}, func() {
		program.Write(tb, data, initialdata)
		program.Own(tb, dir)
		p.Run(tb, "rt-setup-database-5", "--action", "init", "--skip-create")
		p.Run(tb, "rt-setup-database-5", "--action", "insert", "--skip-create", "--datafile", data)
	})
	if len(o.People) > 0 {
		program.Fill(tb, database, o.People, "SELECT max(id) FROM Principals", person)
	}
	program.Own(tb, dir)
	headers := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(User+":"+Password))}}
	s := &Server{dir: dir, Service: program.Serve(tb, port, headers, database, func(r *http.Request) bool {
		return r.Method == http.MethodPost && (strings.HasSuffix(r.URL.Path, "/users") || strings.HasSuffix(r.URL.Path, "/groups")) // a search
	})}
	s.REST = s.URL + "/REST/2.0"
	workers := o.Workers
	if workers == 0 {
		workers = 2
	}
	p.Start(tb, program.Answers(port, "/REST/2.0/rt"), server, "--server", "Starlet", "--host", "127.0.0.1", "--port", fmt.Sprint(port),
		"--max-workers", fmt.Sprint(workers), "--max-reqs-per-child", "1000000")
	return s
}

// person writes somebody without rights and without a password, of whom Request Tracker makes a group for his rights, too.
func person(exec func(query string, args ...any), id int, p *program.Person) {
	const made = ", 1, '2026-01-01 00:00:00', 1, '2026-01-01 00:00:00')"
	exec("INSERT INTO Principals VALUES (?1, 'User', ?3), (?2, 'Group', 0)", id, id+1, p.Gone)
	exec("INSERT INTO Users (id, Name, Password, EmailAddress, RealName, Creator, Created, LastUpdatedBy, LastUpdated) VALUES (?, ?, '*NO-PASSWORD*', ?, ?"+made,
		id, p.Login, p.Mail, p.Given+" "+p.Family)
	exec("INSERT INTO Groups VALUES (?2, 'UserEquiv', 'ACL equiv. for user ' || ?1, 'ACLEquivalence', ?1"+made, id, id+1)
	exec("INSERT INTO CachedGroupMembers SELECT max(id) + 1, ?1, ?1, max(id) + 1, ?1, 0 FROM CachedGroupMembers", id+1)
	for _, group := range []string{"ACLEquivalence", "Everyone", "Unprivileged"} {
		const of = " FROM Groups WHERE Domain = ?2 AND Instance = ?1 OR Domain = 'SystemInternal' AND Name = ?2"
		exec("INSERT INTO GroupMembers (GroupId, MemberId, Creator, Created, LastUpdatedBy, LastUpdated) SELECT id, ?1, 1, '2026-01-01', 1, '2026-01-01'"+of, id, group)
		exec("INSERT INTO CachedGroupMembers SELECT (SELECT max(id) + 1 FROM CachedGroupMembers), id, ?1, (SELECT max(id) + 1 FROM CachedGroupMembers), id, 0"+of, id, group)
	}
	if p.Remark != "" {
		exec(`INSERT INTO ObjectCustomFieldValues (CustomField, ObjectType, ObjectId, Content, Creator, Created, LastUpdatedBy, LastUpdated)
			SELECT id, 'RT::User', ?, ?, 1, '2026-01-01', 1, '2026-01-01' FROM CustomFields WHERE Name = 'Remark'`, id, p.Remark)
	}
}

// Mails is how many mails it has sent.
func (s *Server) Mails(tb testing.TB) int {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "var", "*.mbox"))
	program.Check(tb, err)
	n := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		program.Check(tb, err)
		n += strings.Count("\n"+string(data), "\nFrom ")
	}
	return n
}

// Dump is everybody and every group of people that is there, disabled or not, by kind and number ("user/29"): all columns, custom
// fields as "CustomField.NAME", a group's members as "members".
func (s *Server) Dump(tb testing.TB) map[string]map[string]string {
	tb.Helper()
	all := map[string]map[string]string{}
	s.Rows(tb, `SELECT u.*, p.Disabled FROM Users u JOIN Principals p ON p.id = u.id`, func(row map[string]string) { all["user/"+row["id"]] = row })
	s.Rows(tb, `SELECT g.*, p.Disabled FROM Groups g JOIN Principals p ON p.id = g.id WHERE g.Domain = 'UserDefined'`,
		func(row map[string]string) { all["group/"+row["id"]] = row })
	s.Rows(tb, `SELECT lower(substr(v.ObjectType, 5)) || '/' || v.ObjectId AS thing, f.Name AS name, coalesce(v.Content, v.LargeContent) AS content
		FROM ObjectCustomFieldValues v JOIN CustomFields f ON f.id = v.CustomField
		WHERE v.Disabled = 0 AND v.ObjectType IN ('RT::User', 'RT::Group') ORDER BY v.id`, func(row map[string]string) {
		if thing := all[row["thing"]]; thing != nil {
			thing["CustomField."+row["name"]] += row["content"]
		}
	})
	s.Rows(tb, `SELECT 'group/' || GroupId AS thing, MemberId AS member FROM GroupMembers ORDER BY MemberId`, func(row map[string]string) {
		if thing := all[row["thing"]]; thing != nil {
			thing["members"] += row["member"] + " "
		}
	})
	return all
}
