package postgres_test

import (
	"slices"
	"testing"

	"dirsyncd/store/postgres"
)

// What a process left that is gone, the next one removes: copies, but neither those of others nor what somebody gave such a name.
func leftovers(t *testing.T, r *rig) {
	schema := r.schema(t)
	s := r.openSchema(t, postgres.Options{Schema: schema, LeaseFor: longLeases})
	if err := s.Update(t.Context(), hq, count); err != nil {
		t.Fatal(err)
	}
	mine, err := s.Scratch(t.Context(), hq)
	if err != nil {
		t.Fatal(err)
	}
	left, named := schema+"_copy_aa", schema+"_copy_of_mine"
	r.Exec("CREATE SCHEMA "+left, "COMMENT ON SCHEMA "+left+" IS 'dirsyncd 0123'", "CREATE SCHEMA "+named)
	r.openSchema(t, postgres.Options{Schema: schema, LeaseFor: longLeases})
	var there []string
	rows, err := r.DB.QueryContext(t.Context(), "SELECT nspname FROM pg_namespace WHERE nspname LIKE $1", schema+"_copy%")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		there = append(there, name)
	}
	if rows.Err() != nil || slices.Contains(there, left) || !slices.Contains(there, named) || len(there) != 2 || counted(t, mine, hq) != 1 {
		t.Errorf("left are %q, %v", there, rows.Err())
	}
	r.Exec("DROP SCHEMA " + named)
	if err := mine.Close(); err != nil {
		t.Error(err)
	}
}
