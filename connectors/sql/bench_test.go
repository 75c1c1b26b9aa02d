package sql

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/database/mariadbtest"
	"dirsyncd/sync/database/postgrestest"
)

const benchRows = 200_000

// benchKinds reads nine columns of people, with a manager.
const benchKinds = "{person: {query: SELECT * FROM people, columns: {manager: boss}, attributes: [cost]}}"

// benchRow is a row of people; %s stands for its number.
const benchRow = `concat('Given ', %[1]s), concat('Family ', %[1]s), concat('p', %[1]s, '@example.test'), 'Research', %[1]s / 7, '0049', true, '2024-03-07 10:00:00'`

const benchTable = `CREATE TABLE people (id int, given_name varchar(50), family_name varchar(50), email varchar(80), department varchar(50), boss int, cost varchar(10),
	enabled boolean, created timestamp NULL)`

// BenchmarkRead reads people to normal form. The databases are asked for two keys besides, see findTwins.
func BenchmarkRead(b *testing.B) {
	b.Run("postgres", func(b *testing.B) {
		s := postgrestest.Start(b)
		d := s.Database(b)
		d.Exec(benchTable, fmt.Sprintf("INSERT INTO people SELECT i, "+benchRow+" FROM generate_series(1, %d) i", "i", benchRows))
		d.Grant()
		cfg := settingsOf(b, postgresBlock(s, d, benchKinds))
		cfg.Port = s.Port
		benchRead(b, connect(b, cfg))
	})
	b.Run("mariadb", func(b *testing.B) {
		s := mariadbtest.Start(b)
		d := s.Database(b)
		d.Exec(benchTable, fmt.Sprintf("INSERT INTO people SELECT seq, "+benchRow+" FROM seq_1_to_%d", "seq", benchRows))
		cfg := settingsOf(b, mariadbBlock(s, d, benchKinds))
		cfg.Port = s.Port
		benchRead(b, connect(b, cfg))
	})
	b.Run("sqlite", func(b *testing.B) {
		_, file := fileOf(b, benchTable, fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO people SELECT i, 'Given ' || i, 'Family ' || i, 'p' || i || '@example.test', 'Research', i / 7, '0049', true, '2024-03-07 10:00:00' FROM n`, benchRows))
		benchRead(b, connect(b, settingsOf(b, "{driver: sqlite, file: "+file+", kinds: "+benchKinds+"}")))
	})
}

// cpu is how much time of processors this process has had: a busy machine leaves it as it is. SQLite's work is in it.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchRead(b *testing.B, c *Connector) {
	b.ReportAllocs()
	var before, after runtime.MemStats
	most := uint64(0)
	runtime.GC()
	runtime.ReadMemStats(&before)
	rows, began := 0, cpu(b)
	for b.Loop() {
		pages := 0
		err := c.Read(context.Background(), connectors.Request{Stream: "users", Mode: connectors.Full}, func(p *connectors.Page) error {
			rows += len(p.Objects)
			if pages++; pages%100 == 0 {
				runtime.ReadMemStats(&after)
				most = max(most, after.HeapInuse)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(rows)/(cpu(b)-began).Seconds(), "rows/cpu-s")
	b.ReportMetric(float64(most)/(1<<20), "MiB-in-use")
	if rows%benchRows != 0 {
		b.Errorf("%d rows", rows)
	}
}
