package mariadbtest

import "testing"

func TestServer(t *testing.T) {
	d := Start(t).Database(t)
	d.Exec("CREATE TABLE a (id int)", "INSERT INTO a VALUES (1)")
	var n int
	if err := d.DB.QueryRow("SELECT count(*) FROM a").Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
}
