// Package redminetest starts a real Redmine for tests: Debian's package on an SQLite database of its own.
// Nothing of an installed Redmine is read or changed.
package redminetest

import (
	"database/sql"
	_ "embed"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dirsyncd/sync/targets/rest/internal/program"
)

// Packages is what to install, for people to read.
const Packages = "redmine redmine-sqlite puma"

// Key is the API key of the administrator. It is a mark that no log, error or report may show.
const Key = "0fa11cadec0de0fa11cadec0de0fa11cadec0de0"

// Header takes the key.
const Header = "X-Redmine-API-Key"

// The ids of the custom fields that take the mark.
const (
	UserMark   = 2
	GroupMark  = 3
	TicketMark = 4
)

// Project is the identifier of a project that takes issues.
const Project = "starters"

// Person is somebody who is there before a test begins.
type Person = program.Person

//go:embed setup.sql
var setup string

// Server is a Redmine that runs until its test is over.
type Server struct {
	*program.Service
	dir string
}

const (
	root = "/usr/share/redmine"
	// Its own Gemfile takes the driver of the database from the configuration of the installed one, which there need not be.
	gems     = "eval_gemfile '" + root + "/Gemfile'\ngem 'sqlite3', '~> 1.4.0', platforms: [:mri, :mingw, :x64_mingw]\n"
	database = "production: {adapter: sqlite3, database: %s/redmine.db, timeout: 60000}\n"
	// Mails become files.
	mails = "production:\n  email_delivery:\n    delivery_method: :file\n    file_settings: {location: %s/mails}\n"
)

// Start starts one. The test is skipped where there is none, and fails then when CI or DIRSYNCD_REQUIRE_REAL is set.
// The people are there before, as Redmine itself would have made them.
func Start(tb testing.TB, people []Person) *Server {
	tb.Helper()
	version := program.Version(tb, "redmine")
	if version == "" || program.Version(tb, "redmine-sqlite") == "" || program.Version(tb, "puma") == "" {
		program.Missing(tb, "Redmine", Packages)
	}
	dir, port := program.Folder(tb), program.Port(tb)
	for _, name := range []string{"config", "log", "tmp", "files", "mails"} {
		program.Check(tb, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	for name, text := range map[string]string{
		"Gemfile": gems, "config/database.yml": fmt.Sprintf(database, dir), "config/configuration.yml": fmt.Sprintf(mails, dir),
		"config/secret_key.txt": strings.Repeat("of-the-test-", 6),
	} {
		program.Write(tb, filepath.Join(dir, name), text)
	}
	// An instance is a folder below /var/lib/redmine; from there it is led to ours.
	p := program.Program{Dir: root, Env: []string{
		"RAILS_ENV=production", "HOME=" + dir, "TMPDIR=" + dir, "BUNDLE_GEMFILE=" + filepath.Join(dir, "Gemfile"),
		"REDMINE_INSTANCE=" + strings.Repeat("../", 8) + strings.TrimPrefix(dir, "/"), "SCHEMA=" + filepath.Join(dir, "schema.rb"),
	}}
	kept := filepath.Join(dir, "redmine.db")
	program.Kept(tb, kept, "redmine", []string{version, setup}, func() {
		program.Own(tb, dir)
		p.Run(tb, "rake", "db:migrate")
		db, err := sql.Open("sqlite", kept)
		program.Check(tb, err)
		_, err = db.ExecContext(tb.Context(), setup)
		program.Check(tb, err)
		program.Check(tb, db.Close())
	})
	if len(people) > 0 {
		program.Fill(tb, kept, people, "SELECT max(id) FROM users", person)
	}
	program.Own(tb, dir)
	s := &Server{dir: dir, Service: program.Serve(tb, port, http.Header{Header: {Key}}, kept, func(*http.Request) bool { return false })}
	// One thing at a time: of two that write, SQLite would refuse one.
	p.Start(tb, program.Answers(port, "/users.json"), "puma", "-b", fmt.Sprintf("tcp://127.0.0.1:%d", port), "-t", "1:1", "-w", "0", "-e", "production", "config.ru")
	return s
}

func person(exec func(query string, args ...any), id int, p *program.Person) {
	status := 1
	if p.Gone {
		status = 3
	}
	const day = "'2026-01-01 00:00:00'"
	exec("INSERT INTO users (id, login, firstname, lastname, status, language, created_on, updated_on, type, mail_notification) VALUES (?, ?, ?, ?, ?, 'en', "+
		day+", "+day+", 'User', 'only_my_events')", id, p.Login, p.Given, p.Family, status)
	exec("INSERT INTO email_addresses (user_id, address, is_default, notify, created_on, updated_on) VALUES (?, ?, 1, 1, "+day+", "+day+")", id, p.Mail)
	exec("INSERT INTO user_preferences (user_id, others, hide_mail) VALUES (?, '---\n:no_self_notified: ''1''\n', 1)", id)
	exec("INSERT INTO custom_values (customized_type, customized_id, custom_field_id, value) SELECT 'Principal', ?, id, iif(name = 'Remark', ?, '') FROM custom_fields WHERE type = 'UserCustomField'",
		id, p.Remark)
}

// Mails is how many mails it has sent, as far as they are written: it sends them beside its answers.
func (s *Server) Mails(tb testing.TB) int {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "mails", "*"))
	program.Check(tb, err)
	n := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		program.Check(tb, err)
		n += strings.Count(string(data), "\nMessage-ID: ")
	}
	return n
}

// Dump is everybody and every group that is there, locked or not, by kind and number ("user/29"): all columns, the address as
// "mail", custom fields as "custom.NAME", a group's members as "members".
func (s *Server) Dump(tb testing.TB) map[string]map[string]string {
	tb.Helper()
	all := map[string]map[string]string{}
	s.Rows(tb, `SELECT u.*, e.address AS mail, CASE WHEN u.type LIKE 'Group%' THEN 'group/' ELSE 'user/' END || u.id AS thing
		FROM users u LEFT JOIN email_addresses e ON e.user_id = u.id AND e.is_default`, func(row map[string]string) {
		all[row["thing"]] = row
		delete(row, "thing")
	})
	s.Rows(tb, `SELECT CASE WHEN f.type = 'UserCustomField' THEN 'user/' ELSE 'group/' END || v.customized_id AS thing, f.name, v.value
		FROM custom_values v JOIN custom_fields f ON f.id = v.custom_field_id WHERE v.customized_type = 'Principal' ORDER BY v.id`, func(row map[string]string) {
		if thing := all[row["thing"]]; thing != nil && row["value"] != "NULL" {
			thing["custom."+row["name"]] += row["value"]
		}
	})
	s.Rows(tb, `SELECT 'group/' || group_id AS thing, user_id FROM groups_users ORDER BY user_id`, func(row map[string]string) {
		if thing := all[row["thing"]]; thing != nil {
			thing["members"] += row["user_id"] + " "
		}
	})
	return all
}
