package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"dirsyncd/store"
	"dirsyncd/store/postgres"
	"dirsyncd/sync/fault"
)

// growing are the tables that grow with the directory.
var growing = []string{"name", "owner", "contested", "object", "member", "digest", "link", "dirty", "due", "record", "match", "outbox", "desk_link"}

// wholes are statements that are about all of a partition on purpose: it is moved or indexed anew, or a writer has asked for so many names one
// by one that reading all is the quicker way.
var wholes = []string{"select hash, num from s.name where part = $1 and num <= $2", "delete from s.match where part = $1"}

// plans: no statement is compiled (jit), which takes longer than to run it: what reads a small table in whole is as dear to the planner as that. And none reads a whole table, or all that it has of a partition, to find some rows. Plans are made for tables of which nothing is
// known, as those of a first sync are, and once for all: what is right for a small table is read in whole when it is large.
func plans(t *testing.T, r *rig) {
	trips := r.Trips(t, r.server)
	st, err := postgres.Open(t.Context(), postgres.Options{URL: trips.URL, Schema: r.schema(t), LeaseFor: longLeases})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	_, release, err := st.Lease(t.Context(), "run hq", wholeLife)
	if err != nil {
		t.Fatal(err)
	}
	release()
	for seed := range uint64(20) {
		s := &script{Rand: rand.New(rand.NewPCG(seed, 3))}
		need := s.need()
		ctx := store.Expect(t.Context(), func() store.Need { return need })
		if err := st.Update(ctx, hq, func(w store.Writer) error { s.transaction(w); return nil }); err != nil {
			t.Fatal(err)
		}
		err := st.View(ctx, hq, func(rd store.Reader) error {
			for range 60 {
				s.read(rd)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	again, err := postgres.Open(t.Context(), postgres.Options{URL: trips.URL, Schema: st.Schema(), LeaseFor: longLeases})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	if _, err := again.Partitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	empty := r.openSchema(t, postgres.Options{Schema: r.schema(t), LeaseFor: longLeases})
	conn, err := pgx.Connect(t.Context(), r.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	checked := 0
	for _, sql := range trips.Statements() {
		if !strings.Contains(sql, st.Schema()+".") || !regexp.MustCompile(`^\s*(select|with|insert|update|delete)\b`).MatchString(sql) {
			continue
		}
		short := strings.Join(strings.Fields(strings.ReplaceAll(sql, st.Schema()+".", "s.")), " ")
		if slices.Contains(wholes, short) {
			continue
		}
		checked++
		for _, problem := range scansOf(t, conn, strings.ReplaceAll(sql, st.Schema()+".", empty.Schema()+".")) {
			t.Errorf("%s\n  in %s", problem, short)
		}
	}
	if checked < 80 {
		t.Errorf("only %d statements were looked at", checked)
	}
}

// node is one of a plan.
type node struct {
	Type      string `json:"Node Type"`
	Relation  string `json:"Relation Name"`
	Index     string `json:"Index Name"`
	IndexCond string `json:"Index Cond"`
	Plans     []node `json:"Plans"`
}

// scansOf returns what of a statement's plan reads a table in whole, and whether it is compiled, which takes longer than any of them.
func scansOf(t *testing.T, conn *pgx.Conn, sql string) (problems []string) {
	t.Helper()
	params := 0
	for _, p := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(sql, -1) {
		n := 0
		_, _ = fmt.Sscan(p[1], &n)
		params = max(params, n)
	}
	execute := "explain (format json) execute looked_at"
	if params > 0 {
		execute += "(" + strings.TrimSuffix(strings.Repeat("null,", params), ",") + ")"
	}
	var text string
	for i, step := range []string{postgres.Planning(), "deallocate all", "prepare looked_at as " + sql, execute} {
		results, err := conn.PgConn().Exec(t.Context(), step).ReadAll()
		if err != nil {
			t.Fatalf("%v: %s", err, step)
		}
		if i == 3 {
			text = string(results[0].Rows[0][0])
		}
	}
	var plan []struct {
		Plan node
		JIT  any
	}
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		t.Fatal(err)
	}
	if plan[0].JIT != nil {
		problems = append(problems, "is compiled before it is run")
	}
	var walk func(n *node, limited bool)
	walk = func(n *node, limited bool) {
		limited = (limited || n.Type == "Limit") && !slices.Contains([]string{"Sort", "Aggregate", "Hash", "WindowAgg"}, n.Type) // which read all that is below
		narrow := regexp.MustCompile(`(?i)\b(hash|handle|num|grp|key|target|subject|seq|id|at)\b`).MatchString(n.IndexCond)
		switch table := n.Relation; {
		case n.Type == "Seq Scan" && slices.Contains(growing, table):
			problems = append(problems, "reads all of "+table)
		case strings.HasPrefix(n.Type, "Index") && slices.Contains(growing, table) && !narrow && !limited,
			n.Type == "Bitmap Index Scan" && slices.ContainsFunc(growing, func(table string) bool { return strings.HasPrefix(n.Index, table) }) && !narrow:
			problems = append(problems, "reads all that a partition has in "+table+n.Index+" by "+n.IndexCond)
		}
		for i := range n.Plans {
			walk(&n.Plans[i], limited)
		}
	}
	walk(&plan[0].Plan, false)
	return problems
}

// longViews: a view that is held open for long is told of, with whose it is.
func longViews(t *testing.T, r *rig) {
	for name, long := range map[string]time.Duration{"long": time.Nanosecond, "short": time.Hour} {
		var log strings.Builder
		st := r.openSchema(t, postgres.Options{Schema: r.schema(t), LeaseFor: longLeases, Log: slog.New(slog.NewTextHandler(&log, nil))}.WithLongView(long))
		if err := st.View(t.Context(), hq, func(store.Reader) error { return nil }); err != nil {
			t.Fatal(err)
		}
		told := strings.Contains(log.String(), "held open") && strings.Contains(log.String(), "longViews") && strings.Contains(log.String(), hq.String())
		if told != (name == "long") {
			t.Errorf("%s view: %q", name, log.String())
		}
	}
}

// longestViews: a view that goes on for too long is given up and says so; who checks everything is not.
func longestViews(t *testing.T, r *rig) {
	st := r.openSchema(t, postgres.Options{Schema: r.schema(t), LeaseFor: longLeases}.WithLongestView(300*time.Millisecond))
	if err := st.Update(t.Context(), hq, func(w store.Writer) error { return w.PutTenant(store.TenantState{Name: "x"}) }); err != nil {
		t.Fatal(err)
	}
	read := func(tx store.Reader) error { return tx.Runs(func(store.Run) bool { return true }) }
	copied, err := r.open(t).Scratch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(copied.View(t.Context(), hq, read), copied.Close()); err != nil {
		t.Errorf("a copy has another bound: %v", err)
	}
	hasty := r.openSchema(t, postgres.Options{Schema: st.Schema(), LeaseFor: longLeases}.WithLongestView(time.Nanosecond))
	if err := hasty.Verify(t.Context()); err != nil {
		t.Errorf("the check of everything was given up: %v", err)
	}
	err = st.View(t.Context(), hq, func(tx store.Reader) error {
		for {
			if err := read(tx); err != nil {
				return err
			}
		}
	})
	if fault.ClassOf(err) != fault.Transient || !strings.Contains(fault.Text(err), "in one transaction, and was given up") {
		t.Errorf("a view without an end: %v", err)
	}
	// The server sees a moment later that the connection is gone.
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for open := -1; open != 0; {
		if err := r.DB.QueryRowContext(soon, "select count(*) from pg_stat_activity where state <> 'idle' and xact_start is not null and application_name = '"+st.Session()+"'").Scan(&open); err != nil {
			t.Fatalf("%d transactions are still open: %v", open, err)
		}
	}
	ctx, giveUp := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer giveUp()
	err = st.View(ctx, hq, func(tx store.Reader) error {
		for {
			if err := read(tx); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller had no patience: %v", err)
	}
}
