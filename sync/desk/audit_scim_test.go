package desk

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"dirsyncd/store"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
	"dirsyncd/sync/targets/scim"
)

// A nightly audit of 10,000 SCIM users, in pages of 100, asks about as often as there are pages.
func TestAuditOfManyAtSCIM(t *testing.T) {
	const people, page, most = 10_000, 100, 120
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		q := r.URL.Query()
		from, _ := strconv.Atoi(q.Get("startIndex"))
		count, _ := strconv.Atoi(q.Get("count"))
		total, of := people, ""
		if r.URL.Path != "/Users" {
			total = 0
		}
		for i := max(from, 1); i < min(from+min(count, page), total+1); i++ {
			title := "Engineer"
			if i == 77 {
				title = "Boss"
			}
			of += fmt.Sprintf(`,{"id":"%d","externalId":"hr/%d","userName":"l%d","title":%q,"active":true}`, i, i, i, title)
		}
		w.Header().Set("Content-Type", "application/scim+json")
		_, _ = fmt.Fprintf(w, `{"totalResults":%d,"Resources":[%s]}`, total, strings.TrimPrefix(of, ","))
	}))
	defer server.Close()
	factory := scim.Factory()
	cfg := factory.NewConfig().(*scim.Config)
	cfg.URL, cfg.Page, cfg.Rate = server.URL, page, 10000
	cfg.Token = settings.NewSecret("x")
	place, err := scim.Open(cfg, targets.Env{Target: "apps"})
	if err != nil {
		t.Fatal(err)
	}
	st := openStore(t, statePath(t))
	d := New(st, "apps", place, Options{Freely: true})
	defer func() { _ = d.Close() }()
	for from := 1; from <= people; from += 1000 {
		err := st.Update(t.Context(), store.TargetPartition("apps"), func(tx store.Writer) error {
			for i := from; i < from+1000; i++ {
				digest := map[string]store.Digest{"title": store.DigestOf("Engineer")}
				err := tx.PutLink(store.Link{Subject: fmt.Sprintf("user/hr/%d", i), Kind: directory.UserRecord, ID: strconv.Itoa(i), State: store.Linked, Owner: store.Adopted,
					Active: true, Mark: fmt.Sprintf("hr/%d", i), Sent: digest, Saw: digest, Contributor: store.Partition{Connection: "hr"}})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var found []Difference
	out, err := d.Audit(context.Background(), nil, Repair{}, func(d Difference) error { found = append(found, d); return nil })
	if err != nil || len(found) != 1 || found[0].Subject != "user/hr/77" || out.Counts["user"]["same"] != people-1 {
		t.Errorf("%+v, %+v, %v", found, out, err)
	}
	if n := requests.Load(); n > most {
		t.Errorf("%d requests", n)
	}
	t.Log(requests.Load(), "requests")
}
