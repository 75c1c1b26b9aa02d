package sql

import (
	"fmt"
	"testing"
	"time"

	"dirsyncd/sync/database/mariadbtest"
	"dirsyncd/sync/database/postgrestest"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/targets"
)

// BenchmarkRows makes 100,000 rows, lists them as an audit does, and changes one field of each.
func BenchmarkRows(b *testing.B) {
	const rows = 100_000
	run := func(b *testing.B, s *site) {
		d := s.make(b).open(b, tables)
		ids := make([]string, 0, rows)
		apply := func(what string, job func(n int) targets.Job) {
			began := time.Now()
			for n := 0; n < rows; n += d.cfg.Batch {
				jobs := make([]targets.Job, d.cfg.Batch)
				for i := range jobs {
					jobs[i] = job(n + i)
				}
				results, err := d.Apply(b.Context(), jobs)
				if err != nil {
					b.Fatal(err)
				}
				for _, r := range results {
					if r.Err != nil {
						b.Fatal(r.Err)
					}
					if len(ids) < rows {
						ids = append(ids, r.Entity.ID)
					}
				}
			}
			b.ReportMetric(time.Since(began).Seconds(), what+"-s")
		}
		for b.Loop() {
			apply("create", func(n int) targets.Job {
				return person(fmt.Sprintf("hq/%d", n), "login", fmt.Sprintf("l%d", n), "name", fmt.Sprintf("Person %d", n), "email", fmt.Sprintf("p%d@example.test", n), "title", "Engineer")
			})
			began, n := time.Now(), 0
			if _, err := d.Survey(b.Context(), directory.UserRecord, func(*targets.Entity) error { n++; return nil }); err != nil || n != rows {
				b.Fatal(n, err)
			}
			b.ReportMetric(time.Since(began).Seconds(), "list-s")
			apply("change", func(n int) targets.Job {
				return targets.Job{Op: directory.Update, Kind: directory.UserRecord, ID: ids[n], Owner: fmt.Sprintf("hq/%d", n), Fields: fields("title", "Chief")}
			})
		}
	}
	b.Run("postgres", func(b *testing.B) { run(b, onPostgres(b, postgrestest.Start(b))) })
	b.Run("mariadb", func(b *testing.B) { run(b, onMariaDB(b, mariadbtest.Start(b))) })
	b.Run("sqlite", func(b *testing.B) { run(b, onSQLite(b)) })
}
