package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
)

func TestTraps(t *testing.T) {
	onAll(t, map[string]func(*testing.T, *site){
		"guard": testGuard, "cut": testCut, "bad row": testBadRow, "triggers": testTriggers, "texts": testTexts, "readonly": testReadOnly, "rights": testRights,
		"lacking": testLacking, "locked": testLocked, "members": testMembers, "statuses": testStatuses, "keys": testKeys, "values": testValues, "gone": testGone,
	})
}

func refuses(t testing.TB, r targets.Result, class fault.Class, texts ...string) {
	t.Helper()
	if fault.ClassOf(r.Err) != class {
		t.Errorf("class %s, want %s: %v", fault.ClassOf(r.Err), class, r.Err)
	}
	for _, text := range texts {
		if r.Err != nil && !strings.Contains(r.Err.Error(), text) {
			t.Errorf("%q is not in %v", text, r.Err)
		}
	}
}

// No job hits a row that is not the record's: not by an id that was given away anew, not where the mark is another one.
func testGuard(t *testing.T, s *site) {
	d := s.make(t).open(t, tables)
	ours := do(t, d, person("hq/1", "name", "Ann", "login", "ann", "email", "ann@x"))
	s.exec(t, "INSERT INTO people (login, mail, full_name) VALUES ('bob', 'bob@x', 'Bob')")
	bob, err := d.Find(t.Context(), directory.UserRecord, "login", "BOB")
	if err != nil || len(bob) != 1 {
		t.Fatal(bob, err)
	}
	before := s.dump(t, "people")
	title := fields("title", "Engineer")
	for _, op := range []directory.Op{directory.Update, directory.Deactivate, directory.Reactivate, directory.Delete} {
		job := targets.Job{Op: op, Kind: directory.UserRecord, ID: bob[0].ID, Fields: title}
		refuses(t, try(t, d, job), fault.Gone, "another one")
		job.ID, job.Owner = ours.ID, "hq/2" // the id was ours, and is another record's now
		refuses(t, try(t, d, job), fault.Gone, "another one")
	}
	// Adopting: only who has no mark, and as he was looked at.
	adopt := targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: ours.ID, Mark: "hq/2", Fields: title}
	refuses(t, try(t, d, adopt), fault.Conflict)
	adopt.ID, adopt.Revision = bob[0].ID, "another"
	refuses(t, try(t, d, adopt), fault.Conflict, "was changed")
	for id, row := range s.dump(t, "people") {
		if before[id] != row {
			t.Errorf("was written to:\n%s\n%s", before[id], row)
		}
	}
	adopt.Revision = bob[0].Revision
	if e := do(t, d, adopt); e.Keys[targets.Mark] != "hq/2" || e.Fields["title"] != "Engineer" || e.Fields["name"] != "Bob" {
		t.Errorf("%+v", e)
	}
	job := targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: bob[0].ID, Owner: "hq/2", Fields: fields("title", "")}
	if e := do(t, d, job); e.Fields["title"] != "" {
		t.Errorf("%+v", e)
	}
	// Who has the mail address is nobody's business: a unique value that somebody has is never taken from him.
	r := try(t, d, person("hq/3", "login", "Bob"))
	if s.driver == database.MySQL && !errors.Is(r.Err, targets.ErrExists) || s.driver != database.MySQL && r.Err != nil {
		t.Error(r.Err) // names are the same in any case where the collation says so
	}
	if r = try(t, d, person("hq/4", "login", "bob")); !errors.Is(r.Err, targets.ErrExists) || fault.ClassOf(r.Err) != fault.Invalid {
		t.Error(r.Err)
	}
	if r = try(t, d, person("hq/2", "login", "new")); !errors.Is(r.Err, targets.ErrExists) {
		t.Error(r.Err)
	}
	if r = try(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: ours.ID, Fields: fields("login", "bob")}); !errors.Is(r.Err, targets.ErrExists) {
		t.Error(r.Err)
	}
}

// Wherever the connection is cut, the answer to the commit included, nobody is made twice and a success is one.
func testCut(t *testing.T, s *site) {
	if s.wire == nil {
		t.Skip("a file has no wire")
	}
	d := s.make(t).open(t, tables)
	group := do(t, d, targets.Job{Op: directory.Create, Kind: directory.GroupRecord, Mark: "hq/g", Fields: fields("name", "Team")})
	whole, cut, effects := 0, 0, 0
	attempt := func(bytes int) {
		d.db.SetMaxIdleConns(0) // every transaction makes a connection
		if err := d.Reopen(); err != nil {
			t.Fatal(err)
		}
		mark := fmt.Sprintf("hq/%d", bytes)
		job := person(mark, "login", mark, "name", "Somebody")
		s.wire.CutAfter(bytes)
		results, err := d.Apply(t.Context(), []targets.Job{job})
		s.wire.Mend()
		if err == nil {
			err = results[0].Err
		}
		there := s.number(t, "SELECT count(*) FROM people WHERE dirsync_mark = '"+mark+"'")
		switch {
		case err == nil && there != 1:
			t.Fatalf("cut after %d bytes: done, and %d rows", bytes, there)
		case err == nil:
			whole++
		case fault.ClassOf(err) != fault.Transient:
			t.Fatalf("cut after %d bytes: %v", bytes, err)
		default:
			cut, effects = cut+1, effects+there
			found, err := d.Find(t.Context(), directory.UserRecord, targets.Mark, mark)
			if err != nil || len(found) != there {
				t.Fatalf("%d found of %d: %v", len(found), there, err)
			}
			if there == 0 {
				do(t, d, job)
			} else if r := try(t, d, job); !errors.Is(r.Err, targets.ErrExists) {
				t.Fatal(r.Err)
			}
		}
	}
	at := 1
	for ; whole == 0 && at < 60_000; at += 797 {
		attempt(at)
	}
	// The last of what the server says: that the changes hold.
	for end, at := at-797, at-2*797-150; at < end; at += 13 {
		attempt(at)
	}
	if n := s.number(t, "SELECT count(*) - count(DISTINCT dirsync_mark) FROM people"); n != 0 || whole == 0 || cut < 20 || effects == 0 {
		t.Errorf("%d too many, %d whole, %d cut, %d of them with effect", n, whole, cut, effects)
	}
	t.Logf("%d cut, of %d the answer to the commit", cut, effects)
	// A list that is cut is no list; a group's members neither.
	for i := range 300 {
		s.exec(t, fmt.Sprintf("INSERT INTO team_people (team_id, person_id) VALUES (%s, %d)", group.ID, 1000+i))
	}
	whole = 0
	for bytes := 1; whole == 0 && bytes < 200_000; bytes += 1511 {
		s.wire.CutAfter(bytes)
		n := 0
		_, err := d.Survey(t.Context(), directory.GroupRecord, func(e *targets.Entity) error { n = len(e.Members); return nil })
		s.wire.Mend()
		if err == nil && n != 300 || err != nil && fault.ClassOf(err) != fault.Transient {
			t.Fatalf("cut after %d bytes: %d members, %v", bytes, n, err)
		}
		if err == nil {
			whole++
		}
	}
}

// One row that is refused does not keep the others back.
func testBadRow(t *testing.T, s *site) {
	d := s.make(t).open(t, tables)
	s.exec(t, "INSERT INTO people (login) VALUES ('taken')")
	var jobs []targets.Job
	for i := range 20 {
		jobs = append(jobs, person(fmt.Sprintf("hq/%d", i), "login", fmt.Sprintf("l%d", i), "name", "N"))
	}
	jobs[7].Fields = fields("login", "taken")
	jobs[11].Refs = map[string]string{"customer": "4711"} // there is none
	results, err := d.Apply(t.Context(), jobs)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		switch {
		case i == 7:
			if !errors.Is(r.Err, targets.ErrExists) {
				t.Error(r.Err)
			}
		case i == 11:
			refuses(t, r, fault.Invalid, "refers to is gone")
		case r.Err != nil || r.Entity.Keys[targets.Mark] != jobs[i].Mark || r.Entity.Fields["login"] != fmt.Sprintf("l%d", i):
			t.Errorf("%d: %+v", i, r)
		}
	}
	if n := s.number(t, "SELECT count(*) FROM people"); n != 19 {
		t.Errorf("%d rows", n)
	}
	// Changes: of one whose row is gone, and one that takes another's log-in.
	changes := make([]targets.Job, 0, 6)
	for i := range 6 {
		changes = append(changes, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: results[i].Entity.ID, Owner: jobs[i].Mark, Fields: fields("title", "T")})
	}
	changes[2].Fields = fields("login", "taken")
	s.exec(t, "DELETE FROM people WHERE login = 'l4'")
	again, err := d.Apply(t.Context(), changes)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range again {
		switch {
		case i == 2:
			if !errors.Is(r.Err, targets.ErrExists) {
				t.Error(r.Err)
			}
		case i == 4:
			refuses(t, r, fault.Gone)
		case r.Err != nil || r.Entity.Fields["title"] != "T":
			t.Errorf("%d: %+v", i, r)
		}
	}
}

// What triggers make of it is what is answered; a trigger that keeps a row from being written is told.
func testTriggers(t *testing.T, s *site) {
	d := s.make(t).open(t, tables)
	before := func(when, body string) {
		switch s.driver {
		case database.Postgres:
			s.exec(t, "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+body+" END $$", "DROP TRIGGER IF EXISTS f ON people", "CREATE TRIGGER f BEFORE "+when+" ON people FOR EACH ROW EXECUTE FUNCTION f()")
		case database.MySQL:
			s.exec(t, "DROP TRIGGER IF EXISTS f", "CREATE TRIGGER f BEFORE "+when+" ON people FOR EACH ROW BEGIN "+body+" END")
		}
	}
	if s.driver == database.SQLite {
		s.exec(t, "CREATE TRIGGER f AFTER INSERT ON people BEGIN UPDATE people SET full_name = upper(NEW.full_name), title = substr(NEW.title, 1, 4) WHERE id = NEW.id; END")
	} else {
		assign := map[string]string{database.Postgres: "NEW.full_name := upper(NEW.full_name); NEW.title := left(NEW.title, 4); RETURN NEW;", database.MySQL: "SET NEW.full_name = upper(NEW.full_name), NEW.title = left(NEW.title, 4);"}[s.driver]
		before("INSERT", assign)
	}
	r := try(t, d, person("hq/1", "name", "Ann", "login", "ann", "title", "Engineer"))
	if r.Err != nil || r.Entity.Fields["name"] != "ANN" || r.Entity.Fields["title"] != "Engi" || fmt.Sprint(r.Warnings) != "[full_name shows another value than was written title shows another value than was written]" {
		t.Errorf("%+v", r)
	}
	if s.driver == database.SQLite {
		s.exec(t, "CREATE TRIGGER g BEFORE UPDATE ON people BEGIN SELECT RAISE(IGNORE); END")
	} else {
		before("UPDATE", map[string]string{database.Postgres: "RETURN NULL;", database.MySQL: "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not on Sundays';"}[s.driver])
	}
	job := targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: r.Entity.ID, Fields: fields("title", "T")}
	want := "wrote nothing"
	if s.driver == database.MySQL {
		want = "not on Sundays"
	}
	refuses(t, try(t, d, job), fault.Invalid, want)
	// A trigger that keeps people in use, and one that takes our mark.
	if s.driver == database.SQLite {
		s.exec(t, "DROP TRIGGER g", "CREATE TRIGGER g AFTER UPDATE ON people WHEN NEW.in_use = 0 BEGIN UPDATE people SET in_use = 1 WHERE id = NEW.id; END",
			"CREATE TRIGGER h AFTER INSERT ON people BEGIN UPDATE people SET dirsync_mark = NULL WHERE id = NEW.id; END")
	} else {
		before("UPDATE", map[string]string{database.Postgres: "NEW.in_use := true; RETURN NEW;", database.MySQL: "SET NEW.in_use = 1;"}[s.driver])
	}
	refuses(t, try(t, d, targets.Job{Op: directory.Deactivate, Kind: directory.UserRecord, ID: r.Entity.ID}), fault.Invalid, "in use is true")
	if s.driver != database.SQLite {
		s.exec(t, map[string]string{database.Postgres: "DROP TRIGGER f ON people", database.MySQL: "DROP TRIGGER f"}[s.driver])
		before("INSERT", map[string]string{database.Postgres: "NEW.dirsync_mark := NULL; RETURN NEW;", database.MySQL: "SET NEW.dirsync_mark = NULL;"}[s.driver])
	}
	refuses(t, try(t, d, person("hq/2", "login", "bob")), fault.Invalid, "cannot be found by its mark")
	if n := s.number(t, "SELECT count(*) FROM people"); n != 1 {
		t.Errorf("%d rows: what was refused is there", n)
	}
}

// Texts that a column does not take are refused with its name, and never cut.
func testTexts(t *testing.T, s *site) {
	d := s.make(t).open(t, tables)
	long := strings.Repeat("ä", 51)
	r := try(t, d, person("hq/1", "login", "a", "title", long))
	if s.driver == database.SQLite {
		if r.Err != nil || r.Entity.Fields["title"] != long {
			t.Errorf("%+v", r) // it has no lengths
		}
		return
	}
	refuses(t, r, fault.Invalid, "title takes 50 characters and would hold 51", "shorten")
	if strings.Contains(r.Err.Error(), "ää") {
		t.Error(r.Err)
	}
	do(t, d, person("hq/2", "login", "b", "title", long[:100]))
	r = try(t, d, person("hq/3", "login", "c", "title", "a\x00b"))
	if s.driver == database.Postgres {
		refuses(t, r, fault.Invalid, "title would hold a NUL")
	} else if r.Err != nil || r.Entity.Fields["title"] != "a\x00b" {
		t.Errorf("%+v", r)
	}
	if s.driver != database.MySQL {
		return
	}
	// MariaDB: the utf8 of old tables, blanks at the end, marks that differ in case.
	s.exec(t, "ALTER TABLE people MODIFY title varchar(50) CHARACTER SET utf8mb3")
	if err := d.Reopen(); err != nil {
		t.Fatal(err)
	}
	refuses(t, try(t, d, person("hq/4", "login", "d", "title", "\U0001F600")), fault.Invalid, "title is of utf8mb3")
	first := do(t, d, person("hq/ann", "login", "e"))
	second := do(t, d, person("hq/ANN", "login", "f"))
	for mark, id := range map[string]string{"hq/ann": first.ID, "hq/ANN": second.ID} {
		found, err := d.Find(t.Context(), directory.UserRecord, targets.Mark, mark)
		if err != nil || len(found) != 1 || found[0].ID != id {
			t.Errorf("%s: %+v %v", mark, found, err)
		}
	}
	if r = try(t, d, person("hq/5", "login", "E ")); !errors.Is(r.Err, targets.ErrExists) || strings.Contains(r.Err.Error(), "'E '") {
		t.Error(r.Err)
	}
	s.exec(t, "CREATE TABLE plain (id int AUTO_INCREMENT PRIMARY KEY, dirsync_mark varchar(100) UNIQUE, name varchar(3)) ENGINE=MyISAM")
	err := s.open(t, "tables: {customer: {table: plain, keys: [name], columns: {name: name}}}").Check(t.Context())
	refuses(t, targets.Result{Err: err}, fault.Configuration, "takes different marks for the same", "engine MyISAM", "MODIFY `dirsync_mark` varchar(700) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")

	// Without strict mode a text is cut without a word: what is read back says so.
	s.exec(t, "DROP TABLE plain", "CREATE TABLE plain (id int AUTO_INCREMENT PRIMARY KEY, dirsync_mark varchar(100) COLLATE utf8mb4_bin UNIQUE, name varchar(3))")
	lax := s.open(t, "tables: {customer: {table: plain, keys: [name], columns: {name: name}}}")
	lax.db.SetMaxOpenConns(1)
	if _, err := lax.db.ExecContext(t.Context(), "SET sql_mode = ''"); err != nil {
		t.Fatal(err)
	}
	r = try(t, lax, targets.Job{Op: directory.Create, Kind: directory.CustomerRecord, Mark: "hq/c", Fields: fields("name", "Acme")})
	if r.Err != nil || r.Entity.Fields["name"] != "Acm" || fmt.Sprint(r.Warnings) != "[name shows another value than was written]" {
		t.Errorf("%+v", r)
	}
}

// Whatever looks runs where the database refuses to write.
func testReadOnly(t *testing.T, s *site) {
	d := s.make(t).open(t, tables)
	do(t, d, person("hq/1", "login", "ann"))
	_, err := d.Survey(t.Context(), directory.UserRecord, func(*targets.Entity) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	tx, err := d.reads.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = tx.Rollback()
	err = d.read(t.Context(), "look", directory.UserRecord, false, func(ctx context.Context, tx *stdsql.Tx, _ *table) error {
		_, err := tx.ExecContext(ctx, "UPDATE people SET title = 'x'")
		return err
	})
	if fault.ClassOf(err) != fault.Configuration || s.number(t, "SELECT count(*) FROM people WHERE title = 'x'") != 0 {
		t.Errorf("written while looking: %v", err)
	}
}

// A right that is missing stops the target and says what to grant; nobody is refused for it.
func testRights(t *testing.T, s *site) {
	if s.driver == database.SQLite {
		t.Skip("a file has none")
	}
	d := s.make(t).open(t, tables)
	ann := do(t, d, person("hq/1", "login", "ann"))
	account, table := d.cfg.User, "people"
	if s.driver == database.MySQL {
		account, table = "'"+account+"'@'%'", d.cfg.Database+".*"
	}
	s.exec(t, "REVOKE INSERT, UPDATE ON "+table+" FROM "+account)
	d.db.SetMaxIdleConns(0)
	for _, job := range []targets.Job{person("hq/2", "login", "bob"), {Op: directory.Update, Kind: directory.UserRecord, ID: ann.ID, Fields: fields("title", "T")}} {
		results, err := d.Apply(t.Context(), []targets.Job{job, job})
		if fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), "GRANT SELECT, INSERT, UPDATE") || strings.Contains(err.Error(), s.secret) {
			t.Errorf("%v %v", results, err)
		}
	}
	if s.driver == database.Postgres {
		list, err := d.Probe(t.Context())
		if text := fmt.Sprint(list); err != nil || !strings.Contains(text, "{right to insert in people false }") || !strings.Contains(text, "{right to delete in people true }") {
			t.Errorf("%v %v", text, err)
		}
	}
	s.exec(t, "REVOKE SELECT ON "+table+" FROM "+account)
	if err := d.Check(t.Context()); fault.ClassOf(err) != fault.Configuration {
		t.Error(err)
	}
	cfg := s.config(t, tables)
	cfg.Password = settings.NewSecret("wrong-password")
	bad, err := Open(cfg, targets.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bad.Close() }()
	err = bad.Check(t.Context())
	if fault.ClassOf(err) != fault.Auth || strings.Contains(err.Error(), "wrong-password") || strings.Contains(fmt.Sprintf("%+v", bad.cfg), "wrong-password") {
		t.Error(err)
	}
	cfg = s.config(t, tables)
	cfg.CAFile = ""
	if bad, err = Open(cfg, targets.Env{}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bad.Close() }()
	if err := bad.Check(t.Context()); fault.ClassOf(err) != fault.Configuration || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
}

// Check says everything that a table lacks, and the statements that it prints make it good.
func testLacking(t *testing.T, s *site) {
	id := map[string]string{database.Postgres: "int GENERATED ALWAYS AS IDENTITY PRIMARY KEY", database.MySQL: "int AUTO_INCREMENT PRIMARY KEY", database.SQLite: "INTEGER PRIMARY KEY"}[s.driver]
	s.exec(t, "CREATE TABLE people (id "+id+", name varchar(100), owner_id int NOT NULL)", "CREATE TABLE mates (team int, person int)")
	block := `tables: {user: {table: people, keys: [name], columns: {name: name, title: job}}, group: {table: teams, columns: {name: name}, active: in_use, members: {table: mates, group: team, member: person}}}`
	d := s.open(t, block)
	err := d.Check(t.Context())
	refuses(t, targets.Result{Err: err}, fault.Configuration, "table people has no column dirsync_mark", "table people has no column job", "table people has no unique index on dirsync_mark alone",
		"there is no table teams", "table mates has no unique index on team and person")
	hint := fault.Hint(err)
	for statement := range strings.SplitSeq(hint, ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			s.exec(t, statement)
		}
	}
	s.exec(t, "ALTER TABLE people ADD job varchar(50)")
	if err := d.Check(t.Context()); err != nil {
		t.Error(err)
	}
	list, err := d.Probe(t.Context())
	if text := fmt.Sprint(list); err != nil || !strings.Contains(text, "columns need a value and have no default: owner_id") {
		t.Errorf("%v %v", text, err)
	}
	refuses(t, try(t, d, person("hq/1", "name", "Ann")), fault.Invalid, "give the record a field for the column")
	s.exec(t, "ALTER TABLE people DROP COLUMN owner_id")
	ann := do(t, d, person("hq/1", "name", "Ann"))
	group := do(t, d, targets.Job{Op: directory.Create, Kind: directory.GroupRecord, Mark: "hq/g", Fields: fields("name", "Team"), Add: []string{ann.ID}})
	if e, err := d.Fetch(t.Context(), directory.GroupRecord, group.ID); err != nil || len(e.Members) != 1 || !e.Active {
		t.Errorf("%+v %v", e, err)
	}
	// A column that goes away while it runs stops the target with the reason.
	s.exec(t, "ALTER TABLE people DROP COLUMN job")
	refuses(t, try(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: ann.ID, Fields: fields("title", "T")}), fault.Invalid)
	refuses(t, try(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: ann.ID, Fields: fields("title", "T")}), fault.Configuration, "has no column job")
}

// Somebody who keeps a row locked makes it wait, and no more.
func testLocked(t *testing.T, s *site) {
	d := s.make(t).open(t, tables)
	ann := do(t, d, person("hq/1", "login", "ann"))
	conn, err := s.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	begin := "BEGIN"
	if s.driver == database.SQLite {
		begin = "BEGIN IMMEDIATE"
	}
	for _, text := range []string{begin, "UPDATE people SET phone = '1' WHERE login = 'ann'"} {
		if _, err := conn.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	cfg := s.config(t, tables)
	cfg.Timeout = settings.Duration(300 * time.Millisecond)
	busy, err := Open(cfg, targets.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	job := targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: ann.ID, Fields: fields("title", "T")}
	refuses(t, try(t, busy, job), fault.Transient)
	if _, err := conn.ExecContext(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if e := do(t, d, job); e.Fields["title"] != "T" {
		t.Errorf("%+v", e)
	}
}

func testMembers(t *testing.T, s *site) {
	d := s.make(t).open(t, tables)
	var ids []string
	for i := range 250 {
		ids = append(ids, do(t, d, person(fmt.Sprintf("hq/%d", i), "login", fmt.Sprintf("l%d", i))).ID)
	}
	team := do(t, d, targets.Job{Op: directory.Create, Kind: directory.GroupRecord, Mark: "hq/g", Fields: fields("name", "Team"), Add: ids})
	other := do(t, d, targets.Job{Op: directory.Create, Kind: directory.GroupRecord, Mark: "hq/h", Fields: fields("name", "Other"), Add: ids[:3]})
	s.exec(t, "INSERT INTO team_people (team_id, person_id) VALUES ("+team.ID+", 999999)") // by hand
	before := s.dump(t, "team_people WHERE team_id = "+other.ID)
	do(t, d, targets.Job{Op: directory.Update, Kind: directory.GroupRecord, ID: team.ID, Owner: "hq/g", Add: ids[:2], Remove: append([]string{"888888"}, ids[2:]...)})
	e, err := d.Fetch(t.Context(), directory.GroupRecord, team.ID)
	if err != nil || len(e.Members) != 3 || !e.MembersKnown {
		t.Errorf("%v %v", e.Members, err)
	}
	if after := s.dump(t, "team_people WHERE team_id = "+other.ID); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("%v\n%v", before, after)
	}
	var listed []int
	if _, err := d.Survey(t.Context(), directory.GroupRecord, func(e *targets.Entity) error {
		listed = append(listed, len(e.Members))
		return nil
	}); err != nil || fmt.Sprint(listed) != "[3 3]" {
		t.Error(listed, err)
	}
	do(t, d, targets.Job{Op: directory.Deactivate, Kind: directory.GroupRecord, ID: team.ID, Owner: "hq/g"})
	if e, err = d.Fetch(t.Context(), directory.GroupRecord, team.ID); err != nil || e.Active {
		t.Errorf("%+v %v", e, err)
	}
	do(t, d, targets.Job{Op: directory.Delete, Kind: directory.GroupRecord, ID: team.ID, Owner: "hq/g"})
	if n := s.number(t, "SELECT count(*) FROM team_people"); n != 3 {
		t.Errorf("%d members are left", n)
	}
}

// A column of words says who is in use; words that nobody named leave a row in use, and are left alone.
func testStatuses(t *testing.T, s *site) {
	s.make(t).exec(t, "ALTER TABLE people ADD status varchar(20)")
	d := s.open(t, strings.Replace(tables, "active: in_use", "active: {column: status, in_use: active, out_of_use: [left, archived]}", 1))
	ann := do(t, d, person("hq/1", "login", "ann"))
	status := func(want string, active bool) {
		t.Helper()
		e, err := d.Fetch(t.Context(), directory.UserRecord, ann.ID)
		if have := s.number(t, "SELECT count(*) FROM people WHERE status = '"+want+"'"); err != nil || have != 1 || e.Active != active {
			t.Errorf("not %s: %+v %v", want, e, err)
		}
	}
	status("active", true)
	job := targets.Job{Op: directory.Deactivate, Kind: directory.UserRecord, ID: ann.ID, Owner: "hq/1"}
	do(t, d, job)
	status("left", false)
	s.exec(t, "UPDATE people SET status = 'Archived'")
	do(t, d, job)
	status("Archived", false)
	s.exec(t, "UPDATE people SET status = 'on leave'")
	job.Op = directory.Reactivate
	do(t, d, job)
	status("on leave", true)
}

// What a search finds is what a survey shows.
func testKeys(t *testing.T, s *site) {
	d := s.make(t).open(t, tables)
	backslash := `\`
	if s.driver == database.MySQL {
		backslash = `\\`
	}
	s.exec(t, "INSERT INTO people (object, login, mail, full_name) VALUES ('Ab1', 'x1', ' Ann@Example.test ', 'Ärzte & Co'), ('ab1', 'x2', 'bob@example.test', 'O''Brien "+backslash+" \"%'), (NULL, 'x3', '', 'x')")
	for _, test := range []struct {
		key, value string
		found      int
		cannot     bool
	}{
		{"mail", "ann@example.test", 1, false}, {"mail", " ANN@EXAMPLE.TEST", 1, false}, {"mail", "ann@example.tes_", 0, false}, {"mail", "", 0, false},
		{"object", "Ab1", 1, false}, {"object", "AB1", 0, false}, {"login", "X2", 1, false}, {"full_name", "o'brien \\ \"%", 1, false},
		{"full_name", "ärzte & co", 1, s.driver != database.MySQL}, {"full_name", "a\x00b", 0, false}, {"nothing", "x", 0, true}, {targets.Mark, "x' OR '1'='1", 0, false},
	} {
		found, err := d.Find(t.Context(), directory.UserRecord, test.key, test.value)
		if errors.Is(err, targets.ErrCannotFind) != test.cannot || !test.cannot && (err != nil || len(found) != test.found) {
			t.Errorf("%s %q: %d found, %v", test.key, test.value, len(found), err)
		}
	}
}

// Many searches that look at each row are left to a list.
func TestManySearches(t *testing.T) {
	s := onSQLite(t).make(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d, err := Open(s.config(t, tables), targets.Env{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	find := func(key string) error {
		_, err := d.Find(t.Context(), directory.UserRecord, key, "x")
		return err
	}
	for range mostScans {
		if err := find("login"); err != nil {
			t.Fatal(err)
		}
	}
	if err := find("mail"); !errors.Is(err, targets.ErrCannotFind) {
		t.Error(err)
	}
	if err := find(targets.Mark); err != nil {
		t.Error(err)
	}
	now = now.Add(2 * time.Minute)
	if err := find("mail"); err != nil {
		t.Error(err)
	}
}

// Values become what their columns are.
func testValues(t *testing.T, s *site) {
	types := map[string]string{database.Postgres: "n int, fine numeric(10,2), flag boolean, day date, at timestamptz, small varchar(10) NOT NULL DEFAULT 'x', u uuid",
		database.MySQL:  "n int, fine decimal(10,2), flag bit(1), day date, at datetime, small varchar(10) NOT NULL DEFAULT 'x', u varchar(36)",
		database.SQLite: "n int, fine numeric, flag int, day text, at text, small varchar(10) NOT NULL DEFAULT 'x', u text"}[s.driver]
	id := map[string]string{database.Postgres: "uuid PRIMARY KEY DEFAULT gen_random_uuid()", database.MySQL: "varchar(36) PRIMARY KEY DEFAULT uuid()", database.SQLite: "text PRIMARY KEY DEFAULT (lower(hex(randomblob(16))))"}[s.driver]
	s.exec(t, "CREATE TABLE things (id "+id+", dirsync_mark "+strings.TrimSuffix(markType(s.driver), " NULL")+" UNIQUE, "+types+")")
	d := s.open(t, "tables: {asset: {table: things, anchors: [u], columns: {quantity: n, used: fine, enabled: flag, term: day, created: at, model: small}}}")
	var o directory.Object
	o.Set("quantity", directory.Number(42))
	o.Set("used", directory.Text("12.50"))
	o.Set("enabled", directory.Bool(true))
	o.Set("term", directory.Text("2026-12-31"))
	o.Set("created", directory.Time(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)))
	job := targets.Job{Op: directory.Create, Kind: directory.AssetRecord, Mark: "hq/1", Fields: o.Fields, Keys: map[string]string{"u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "other": "x"}}
	e := do(t, d, job)
	for field, want := range map[string]string{"quantity": "42", "used": "12.50", "term": "2026-12-31", "model": "x"} {
		if have := e.Fields[field]; have != want && (s.driver != database.SQLite || field != "used" || have != "12.5") {
			t.Errorf("%s is %q", field, have)
		}
	}
	if !strings.HasPrefix(strings.Replace(e.Fields["created"], "T", " ", 1), "2026-01-02 03:04:05") || e.Fields["enabled"] != "1" && e.Fields["enabled"] != "true" || e.Keys["u"] != "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" {
		t.Errorf("%+v", e)
	}
	found, err := d.Find(t.Context(), directory.AssetRecord, "u", "no uuid")
	if err != nil || len(found) != 0 {
		t.Errorf("%v %v", found, err)
	}
	// No value: NULL, or nothing where there must be something.
	e = do(t, d, targets.Job{Op: directory.Update, Kind: directory.AssetRecord, ID: e.ID, Owner: "hq/1", Fields: fields("quantity", "", "model", "")})
	if e.Fields["quantity"] != "" || e.Fields["model"] != "" || e.Fields["term"] != "2026-12-31" {
		t.Errorf("%+v", e)
	}
	if s.driver != database.SQLite {
		r := try(t, d, targets.Job{Op: directory.Update, Kind: directory.AssetRecord, ID: e.ID, Owner: "hq/1", Fields: fields("quantity", "no number of personal")})
		refuses(t, r, fault.Invalid)
		if strings.Contains(r.Err.Error(), "personal") {
			t.Error(r.Err)
		}
	}
}

// Ids that the column cannot have are those of nobody.
func testGone(t *testing.T, s *site) {
	d := s.make(t).open(t, tables)
	do(t, d, person("hq/1", "login", "ann"))
	for _, id := range []string{"no number", "1x", "99999999999999999999999", "1 ", "0x1", "-1"} {
		if _, err := d.Fetch(t.Context(), directory.UserRecord, id); fault.ClassOf(err) != fault.Gone {
			t.Errorf("%q: %v", id, err)
		}
		refuses(t, try(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: id, Fields: fields("title", "T")}), fault.Gone)
	}
	refuses(t, try(t, d, targets.Job{Op: directory.Update, Kind: directory.UserRecord}), fault.Internal)
	refuses(t, try(t, d, targets.Job{Op: directory.Create, Kind: directory.UserRecord}), fault.Internal)
	refuses(t, try(t, d, targets.Job{Op: directory.Create, Kind: directory.LicenceRecord, Mark: "x"}), fault.Invalid, "there is no table for a licence")
}
