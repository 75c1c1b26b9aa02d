package sql

import (
	"testing"
	"time"
)

func sqlServerConfig(t *testing.T, more string) *Config {
	return settingsOf(t, "driver: sqlserver\nhost: db.test\ndatabase: hr\nuser: reader\npassword: hush\nkinds: {person: {query: SELECT * FROM staff}}\n"+more)
}

// TestSQLServer looks at what would be sent: there is no server to be had.
func TestSQLServer(t *testing.T) {
	d := &sqlServer{sqlServerConfig(t, "")}
	query, args := d.since("SELECT * FROM staff", "up]dated", "DATETIMEOFFSET", time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC))
	same(t, []string{query, args[0].(string)},
		"SELECT * FROM (\nSELECT * FROM staff\n) AS changed_rows WHERE changed_rows.[up]]dated] >= CONVERT(datetimeoffset, @p1, 126) OR changed_rows.[up]]dated] IS NULL",
		"2025-01-02T03:04:05.000+00:00")
	query, args = d.sinceNumber("SELECT * FROM staff", "n", 5)
	same(t, []string{query}, "SELECT * FROM (\nSELECT * FROM staff\n) AS changed_rows WHERE changed_rows.[n] >= @p1 OR changed_rows.[n] IS NULL")
	if args[0] != int64(5) {
		t.Error(args)
	}
	guid := []byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}
	when := time.Date(2024, 3, 7, 10, 0, 0, 0, time.FixedZone("", 7200))
	for _, test := range []struct {
		typ   string
		value any
		want  string
	}{
		{"UNIQUEIDENTIFIER", guid, "00112233-4455-6677-8899-AABBCCDDEEFF"}, {"DECIMAL", []byte("12.50"), "12.50"}, {"NCHAR", "Ann   ", "Ann"},
		{"DATE", when, "2024-03-07"}, {"DATETIME2", when, "2024-03-07T10:00:00"}, {"DATETIMEOFFSET", when, "2024-03-07T08:00:00Z"},
		{"BIT", true, "true"}, {"TIMESTAMP", []byte{0, 1}, "0001"}, {"BIGINT", int64(5), "5"}, {"FLOAT", 0.1, "0.1"}, {"TIME", when, "10:00:00"},
		{"DATETIME", time.Time{}, ""}, {"INT", nil, ""},
	} {
		cell := d.converter(test.typ)(test.value)
		if got := cell.String(); got != test.want {
			t.Errorf("%s: %q, want %q", test.typ, got, test.want)
		}
	}
}
