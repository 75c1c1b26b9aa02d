package google

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// wireUser writes one user as Google does, with the fields of the mask.
func wireUser(b *bytes.Buffer, i int) {
	fmt.Fprintf(b, `{"id":"1%020d","primaryEmail":"person%07d@example.test","name":{"givenName":"Person","familyName":"Number %d","fullName":"Person Number %d"},`+
		`"suspended":false,"archived":false,"orgUnitPath":"/Staff/Team %d","creationTime":"2024-03-01T09:30:00.000Z","customerId":"C01bench","isGuestUser":false,`+
		`"emails":[{"address":"person%07d@example.test","primary":true},{"address":"p%07d@example.test"},{"address":"person%07d@example.test.test-google-a.com"}],`+
		`"aliases":["p%07d@example.test"],"nonEditableAliases":["person%07d@example.test.test-google-a.com"],`+
		`"phones":[{"type":"work","value":"+44 20 7946 0%03d"},{"type":"mobile","value":"+44 7700 900%03d"}],`+
		`"organizations":[{"name":"Example Ltd","title":"Engineer","department":"Engineering","costCenter":"CC-%d","location":"LON","primary":true,"description":"Employee"}],`+
		`"relations":[{"type":"manager","value":"person%07d@example.test"}],"externalIds":[{"type":"organization","value":"%d"}],`+
		`"addresses":[{"type":"work","streetAddress":"1 High Street","locality":"London","postalCode":"N1 1AA","country":"United Kingdom"}],`+
		`"languages":[{"languageCode":"en-GB","preference":"preferred"}]}`,
		i, i, i, i, i%40, i, i, i, i, i, i%1000, i%1000, i%9, i/10, 40000+i)
}

func wirePage(from, n int, next string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"kind":"admin#directory#users","etag":"\"x\"","users":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		wireUser(&b, from+i)
	}
	b.WriteString(`]`)
	if next != "" {
		fmt.Fprintf(&b, `,"nextPageToken":%q`, next)
	}
	b.WriteString(`}`)
	return b.Bytes()
}

// BenchmarkDecodeUsers is from the bytes of a page of 500 to people in normal form, on one core.
func BenchmarkDecodeUsers(b *testing.B) {
	r := bare(b, nil)
	r.customer = "C01bench"
	body := wirePage(0, userPage, "")
	l := &userListing{reading: r, last: map[string]bool{}}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	people := 0
	for b.Loop() {
		d, err := parseListPage("read users", body)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.take(d.Users); err != nil {
			b.Fatal(err)
		}
		people += len(d.Users)
	}
	b.ReportMetric(float64(people)/b.Elapsed().Seconds(), "users/s")
}

// bigDirectory answers for a customer of any size, made up while it is read.
func bigDirectory(tb testing.TB, people int) *httptest.Server {
	tb.Helper()
	page := func(w http.ResponseWriter, body []byte) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		page(w, []byte(`{"access_token":"t","expires_in":3599,"token_type":"Bearer"}`))
	})
	mux.HandleFunc("GET /admin/directory/v1/customers/{id}", func(w http.ResponseWriter, _ *http.Request) { page(w, []byte(`{"id":"C01bench"}`)) })
	mux.HandleFunc("GET /admin/directory/v1/users", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sortOrder") == "DESCENDING" {
			page(w, wirePage(people-1, 1, ""))
			return
		}
		from, _ := strconv.Atoi(r.URL.Query().Get("pageToken"))
		n, next := min(userPage, people-from), ""
		if from+n < people {
			next = strconv.Itoa(from + n)
		}
		page(w, wirePage(from, n, next))
	})
	mux.HandleFunc("GET /apps/licensing/v1/product/{id}/users", func(w http.ResponseWriter, r *http.Request) {
		from, _ := strconv.Atoi(r.URL.Query().Get("pageToken"))
		var b bytes.Buffer
		b.WriteString(`{"kind":"licensing#licenseAssignmentList","items":[`)
		n := min(licencePage, people-from)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"userId":"person%07d@example.test","productId":"Google-Apps","productName":"Google Workspace","skuId":"10100200%d","skuName":"Business"}`, from+i, 20+(from+i)%3)
		}
		b.WriteString(`]`)
		if from+n < people {
			fmt.Fprintf(&b, `,"nextPageToken":"%d"`, from+n)
		}
		b.WriteString(`}`)
		page(w, b.Bytes())
	})
	s := httptest.NewServer(mux)
	tb.Cleanup(s.Close)
	return s
}

// BenchmarkHalfAMillion reads 500,000 people with their licences, and reports the most live heap at any page: it
// must not grow with the number of people but for some 20 bytes each for the licences.
func BenchmarkHalfAMillion(b *testing.B) {
	for _, licences := range []bool{false, true} {
		b.Run(fmt.Sprintf("licences=%t", licences), func(b *testing.B) {
			const people = 500_000
			server := bigDirectory(b, people)
			cfg := valid()
			cfg.Endpoint, cfg.TokenURI, cfg.Quota = server.URL+"/", server.URL+"/token", 100_000_000
			cfg.Credentials = settings.NewSecret(`{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}`)
			cfg.Subject = ""
			if licences {
				cfg.Licences.Products = []string{"Google-Apps"}
			}
			for b.Loop() {
				c, err := open(cfg, connectors.Env{Now: time.Now})
				if err != nil {
					b.Fatal(err)
				}
				var most atomic.Uint64
				listed, pages := 0, 0
				began := time.Now()
				err = connectors.Guard(c).Read(context.Background(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
					listed += len(p.Objects)
					if pages++; pages%100 == 0 {
						runtime.GC()
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						most.Store(max(most.Load(), m.HeapAlloc))
					}
					for i := range p.Objects {
						if p.Objects[i].Kind != directory.Person {
							b.Fatal("not a person")
						}
					}
					return nil
				})
				if err != nil || listed != people {
					b.Fatalf("%d people, %v", listed, err)
				}
				b.ReportMetric(float64(listed)/time.Since(began).Seconds(), "users/s")
				b.ReportMetric(float64(most.Load())/(1<<20), "MiB")
				_ = c.Close()
			}
		})
	}
}
