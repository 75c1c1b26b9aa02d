package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/database"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// facts are what the database says of one table.
type facts struct {
	columns map[string]*column
	unique  [][]string // the columns of each unique index over whole rows and whole values
	engine  string     // MariaDB and MySQL
}

// know reads what the database says of the tables, once. Without what it asks for nothing could be promised, so that nothing is done:
// a unique mark, by which a row is found again after an answer was lost, and a unique id.
// The tables that it returns are not changed any more.
func (d *Desk) know(ctx context.Context, tx *stdsql.Tx) (map[directory.RecordKind]*table, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known != nil {
		return d.known, nil
	}
	var problems, help []string
	learned := map[directory.RecordKind]*table{}
	for _, kind := range directory.RecordKinds() {
		t, ok := d.tables[kind]
		if !ok {
			continue
		}
		f, err := t.facts(ctx, tx, t.parts)
		if err != nil {
			return nil, err
		}
		p, h := t.lacks(f)
		problems, help = append(problems, p...), append(help, h...)
		known := *t
		known.columns = f.columns
		learned[kind] = &known
		if t.Members == nil {
			continue
		}
		if f, err = t.facts(ctx, tx, nameParts(t.Members.Table)); err != nil {
			return nil, err
		}
		p, h = t.membersLack(f)
		problems, help = append(problems, p...), append(help, h...)
	}
	if len(problems) > 0 {
		return nil, &fault.Error{Class: fault.Configuration, Op: "look at the tables", Where: d.cfg.Address(), Err: errors.New(strings.Join(problems, "; ")), Hint: strings.Join(help, " ")}
	}
	for _, t := range learned {
		t.memberOf = learned[t.memberKind]
	}
	d.known = learned
	return learned, nil
}

// lacks says what is missing of a table, and what would make it.
func (t *table) lacks(f *facts) (problems, help []string) {
	name := strings.Join(t.parts, ".")
	if len(f.columns) == 0 {
		return []string{"there is no table " + name + ", or the account may not see it"}, []string{t.create(), t.index()}
	}
	for _, column := range t.read {
		if f.columns[column] != nil {
			continue
		}
		problem := "table " + name + " has no column " + column
		if other := differentCase(f.columns, column); other != "" {
			problem += ", but " + other
		} else if column == t.Mark {
			help = append(help, "ALTER TABLE "+t.from+" ADD "+t.quote(t.Mark)+" "+markType(t.driver)+";")
		}
		problems = append(problems, problem)
	}
	if mark := f.columns[t.Mark]; mark != nil && !exact(t.driver, mark) {
		problems = append(problems, "column "+t.Mark+" of table "+name+" takes different marks for the same ("+mark.typ+" "+mark.collated+")")
		if t.driver == database.MySQL {
			help = append(help, "ALTER TABLE "+t.from+" MODIFY "+t.quote(t.Mark)+" "+markType(t.driver)+";")
		}
	}
	if f.columns[t.Mark] == nil || !f.only(t.Mark) {
		problems = append(problems, "table "+name+" has no unique index on "+t.Mark+" alone")
		help = append(help, t.index())
	}
	if f.columns[t.ID] != nil && !f.only(t.ID) {
		problems = append(problems, "column "+t.ID+" of table "+name+" is neither its primary key nor unique")
	}
	return append(problems, f.engineProblem(name)...), help
}

func (t *table) membersLack(f *facts) (problems, help []string) {
	m, parts := t.Members, nameParts(t.Members.Table)
	name, from := strings.Join(parts, "."), nameOf(t.driver, parts)
	if len(f.columns) == 0 {
		return []string{"there is no table " + name + ", or the account may not see it"}, []string{"CREATE TABLE " + from + " (…, PRIMARY KEY (" + t.quote(m.Group) + ", " + t.quote(m.Member) + "));"}
	}
	for _, column := range []string{m.Group, m.Member} {
		if f.columns[column] == nil {
			problems = append(problems, "table "+name+" has no column "+column)
		}
	}
	if len(problems) == 0 && !f.only(m.Group, m.Member) {
		problems = append(problems, "table "+name+" has no unique index on "+m.Group+" and "+m.Member)
		help = append(help, "CREATE UNIQUE INDEX "+database.Quote(t.driver, parts[len(parts)-1]+"_once")+" ON "+from+" ("+t.quote(m.Group)+", "+t.quote(m.Member)+");")
	}
	return append(problems, f.engineProblem(name)...), help
}

func (f *facts) engineProblem(name string) []string {
	if f.engine == "" || strings.EqualFold(f.engine, "InnoDB") {
		return nil
	}
	return []string{"table " + name + " is of the engine " + f.engine + ", which has no transactions"}
}

// only reports whether there is a unique index on exactly some columns.
func (f *facts) only(columns ...string) bool {
	return slices.ContainsFunc(f.unique, func(of []string) bool {
		return len(of) == len(columns) && !slices.ContainsFunc(columns, func(c string) bool { return !slices.Contains(of, c) })
	})
}

func differentCase(columns map[string]*column, name string) string {
	for other := range columns {
		if strings.EqualFold(other, name) {
			return other
		}
	}
	return ""
}

// exact reports whether a column keeps two marks apart that differ in case or accents only.
func exact(driver string, c *column) bool {
	if !c.text {
		return false
	}
	lower := strings.ToLower(c.collated)
	switch driver {
	case database.MySQL:
		return strings.HasSuffix(lower, "_bin") || strings.HasSuffix(lower, "_cs") || lower == "binary"
	case database.SQLServer:
		return strings.Contains(lower, "_bin") || strings.Contains(lower, "_cs")
	default:
		return c.typ != "citext" && lower != "nocase"
	}
}

// markType is a column that holds marks: keys of records, which have up to 512 bytes and the name of a connection before them.
func markType(driver string) string {
	switch driver {
	case database.Postgres:
		return "text"
	case database.MySQL:
		return "varchar(700) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL"
	case database.SQLServer:
		return "nvarchar(700) COLLATE Latin1_General_100_BIN2 NULL"
	default:
		return "TEXT"
	}
}

// index is a statement for the unique index on the mark. SQL Server takes two rows without a mark for the same.
func (t *table) index() string {
	where := ""
	if t.driver == database.SQLServer {
		where = " WHERE " + t.quote(t.Mark) + " IS NOT NULL"
	}
	return "CREATE UNIQUE INDEX " + database.Quote(t.driver, t.parts[len(t.parts)-1]+"_"+t.Mark) + " ON " + t.from + " (" + t.quote(t.Mark) + ")" + where + ";"
}

// create is a statement for a table that would do.
func (t *table) create() string {
	id := map[string]string{
		database.Postgres: "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY", database.MySQL: "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
		database.SQLServer: "bigint IDENTITY PRIMARY KEY", database.SQLite: "INTEGER PRIMARY KEY AUTOINCREMENT",
	}[t.driver]
	text := map[string]string{database.Postgres: "text", database.MySQL: "varchar(255)", database.SQLServer: "nvarchar(255)", database.SQLite: "TEXT"}[t.driver]
	columns := []string{t.quote(t.ID) + " " + id, t.quote(t.Mark) + " " + markType(t.driver)}
	for _, name := range t.read[2:] {
		columns = append(columns, t.quote(name)+" "+t.typeFor(name, text))
	}
	return "CREATE TABLE " + t.from + " (" + strings.Join(columns, ", ") + ");"
}

func (t *table) typeFor(name, text string) string {
	yes := map[string]string{database.Postgres: "boolean NOT NULL DEFAULT true", database.SQLServer: "bit NOT NULL DEFAULT 1"}[t.driver]
	if yes == "" {
		yes = "smallint NOT NULL DEFAULT 1"
	}
	moment := map[string]string{database.Postgres: "timestamptz", database.MySQL: "datetime", database.SQLServer: "datetime2", database.SQLite: "TEXT"}[t.driver]
	for field, column := range t.References {
		if column == name && t.kinds[field] != 0 {
			return "bigint"
		}
	}
	switch {
	case t.Active != nil && t.Active.Column == name && t.Active.InUse == "":
		return yes
	case t.Ended == name:
		return moment
	default:
		return text
	}
}

// facts asks the catalogue.
func (t *table) facts(ctx context.Context, tx *stdsql.Tx, parts []string) (*facts, error) {
	f := &facts{columns: map[string]*column{}}
	columns, unique, engine := catalogue(t.driver, parts)
	err := ask(ctx, tx, columns, func(scan func(...any) error) error {
		c := &column{}
		var kind, collated, charset stdsql.NullString
		var length stdsql.NullInt64
		if err := scan(&c.name, &c.typ, &kind, &c.nullable, &c.filled, &length, &charset, &collated); err != nil {
			return err
		}
		c.typ = strings.ToLower(c.typ)
		c.length, c.charset, c.collated = int(length.Int64), charset.String, collated.String
		c.text, c.whole = kindOf(t.driver, c.typ, kind.String)
		f.columns[c.name] = c
		return nil
	})
	if err != nil || len(f.columns) == 0 {
		return f, err
	}
	by := map[string]int{}
	err = ask(ctx, tx, unique, func(scan func(...any) error) error {
		var index, name string
		if err := scan(&index, &name); err != nil {
			return err
		}
		if _, has := by[index]; !has {
			by[index] = len(f.unique)
			f.unique = append(f.unique, nil)
		}
		f.unique[by[index]] = append(f.unique[by[index]], name)
		return nil
	})
	if err != nil || engine.String() == "" {
		return f, err
	}
	return f, ask(ctx, tx, engine, func(scan func(...any) error) error {
		var name stdsql.NullString
		err := scan(&name)
		f.engine = name.String
		return err
	})
}

func ask(ctx context.Context, tx *stdsql.Tx, s *statement, each func(scan func(...any) error) error) error {
	rows, err := tx.QueryContext(ctx, s.String(), s.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return fmt.Errorf("read the catalogue: %w", err)
		}
	}
	return rows.Err()
}

func kindOf(driver, typ, category string) (text, whole bool) {
	if driver == database.Postgres {
		return category == "S", slices.Contains([]string{"int2", "int4", "int8", "oid"}, typ)
	}
	text = strings.Contains(typ, "char") || strings.Contains(typ, "text") || strings.Contains(typ, "clob") || typ == "string" || driver == database.SQLite && typ == ""
	return text, strings.Contains(typ, "int") && !strings.Contains(typ, "point") || typ == "bit" || typ == "year"
}

// catalogue are the queries for the columns of a table (name, type, category, takes NULL, is filled by the database, length,
// character set, collation), for the columns of its unique indexes (index, column) and, of MariaDB and MySQL, its engine.
func catalogue(driver string, parts []string) (columns, unique, engine *statement) {
	t := &table{driver: driver}
	columns, unique, engine = t.statement(), t.statement(), t.statement()
	name, schema := parts[len(parts)-1], any(nil)
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	switch driver {
	case database.Postgres:
		full := nameOf(driver, parts)
		columns.add(`SELECT a.attname, y.typname, y.typcategory::text, NOT a.attnotnull, a.atthasdef OR a.attidentity <> '',
			CASE WHEN a.atttypmod > 4 AND y.typname IN ('varchar', 'bpchar') THEN a.atttypmod - 4 END, NULL::text, l.collname
			FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
			WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = pg_catalog.to_regclass(`).value(full).add("::text)")
		unique.add(`SELECT i.indexrelid::text, a.attname FROM pg_catalog.pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(num, ord)
			JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num
			WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND k.ord <= i.indnkeyatts AND i.indrelid = pg_catalog.to_regclass(`).value(full).add("::text)")
	case database.MySQL:
		here := func(s *statement, more string) {
			s.add(" WHERE TABLE_NAME = ").value(name).add(" AND TABLE_SCHEMA = COALESCE(").value(schema).add(", DATABASE())", more)
		}
		columns.add(`SELECT COLUMN_NAME, DATA_TYPE, NULL, IS_NULLABLE = 'YES', COLUMN_DEFAULT IS NOT NULL OR EXTRA <> '',
			CASE WHEN DATA_TYPE IN ('char', 'varchar') THEN CHARACTER_MAXIMUM_LENGTH END, CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS`)
		here(columns, "")
		unique.add("SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS")
		here(unique, ` AND NON_UNIQUE = 0 AND COLUMN_NAME IS NOT NULL AND INDEX_NAME NOT IN (SELECT p.INDEX_NAME FROM information_schema.STATISTICS p
			WHERE p.TABLE_SCHEMA = STATISTICS.TABLE_SCHEMA AND p.TABLE_NAME = STATISTICS.TABLE_NAME AND (p.SUB_PART IS NOT NULL OR p.COLUMN_NAME IS NULL)) ORDER BY INDEX_NAME, SEQ_IN_INDEX`)
		engine.add("SELECT ENGINE FROM information_schema.TABLES")
		here(engine, "")
	case database.SQLite:
		if schema == nil {
			schema = "main"
		}
		columns.add(`SELECT name, lower(type), NULL, "notnull" = 0 AND pk = 0, dflt_value IS NOT NULL OR pk > 0, NULL, NULL, NULL FROM pragma_table_info(`).value(name).add(", ").value(schema).add(")")
		unique.add(`SELECT l.name, i.name FROM pragma_index_list(`).value(name).add(", ").value(schema).add(") l, pragma_index_info(l.name, ").value(schema).
			add(`) i WHERE l."unique" AND NOT l.partial UNION ALL SELECT 'primary key', name FROM pragma_table_info(`).value(name).add(", ").value(schema).add(") WHERE pk > 0")
	default:
		full := nameOf(driver, parts)
		columns.add(`SELECT c.name, TYPE_NAME(c.system_type_id), NULL, c.is_nullable, CASE WHEN c.default_object_id <> 0 OR c.is_identity = 1 THEN 1 ELSE 0 END,
			CASE WHEN c.max_length > 0 AND TYPE_NAME(c.system_type_id) IN ('nvarchar', 'nchar') THEN c.max_length / 2 END, NULL, c.collation_name
			FROM sys.columns c WHERE c.object_id = OBJECT_ID(`).value(full).add(")")
		unique.add(`SELECT i.name, c.name FROM sys.indexes i JOIN sys.index_columns k ON k.object_id = i.object_id AND k.index_id = i.index_id
			JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id WHERE i.is_unique = 1 AND i.is_disabled = 0 AND k.is_included_column = 0
			AND (i.has_filter = 0 OR i.filter_definition LIKE '%IS NOT NULL)') AND i.object_id = OBJECT_ID(`).value(full).add(")")
	}
	return columns, unique, engine
}
