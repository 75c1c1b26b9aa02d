package entra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"dirsyncd/connectors"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/sync/directory"
)

// userPage is a page of a users delta as the service sends it.
func userPage(users int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#users(displayName)","value":[`)
	for i := range users {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"accountEnabled":true,"businessPhones":["+44 20 7946 %04d"],"city":"London","companyName":"Contoso Ltd","country":"United Kingdom",`+
			`"createdDateTime":"2021-03-12T10:36:14Z","department":"Finance & Control","displayName":"Adele Vance %d","employeeId":"E%06d","givenName":"Adele",`+
			`"id":"87d349ed-44d7-43e1-9a83-%012d","jobTitle":"Retail Manager","mail":"adele.vance%d@contoso.example","mobilePhone":"+44 7700 900%03d",`+
			`"officeLocation":"18/2111","otherMails":["adele%d@home.example"],"postalCode":"SW1A 1AA","preferredLanguage":"en-GB",`+
			`"proxyAddresses":["SMTP:adele.vance%d@contoso.example","smtp:adele%d@contoso.onmicrosoft.example"],"state":null,"streetAddress":"1 High Street",`+
			`"surname":"Vance","userPrincipalName":"adele.vance%d@contoso.example","userType":"Member",`+
			`"assignedLicenses":[{"disabledPlans":["0feaeb32-d00e-4d66-bd5a-43b5b83db82c"],"skuId":"05e9a617-0261-4cee-bb44-138d3ef5d965"},{"disabledPlans":[],"skuId":"f8a1db68-be16-40ed-86d5-cb42ce701560"}],`+
			`"manager@delta":[{"@odata.type":"#microsoft.graph.user","id":"48d31887-5fad-4d73-a9f5-%012d"}]}`,
			i%10000, i, i, i, i, i%1000, i, i, i, i, i%17)
	}
	b.WriteString(`],"@odata.deltaLink":"https://graph.microsoft.com/v1.0/users/delta?$deltatoken=x"}`)
	return b.Bytes()
}

// BenchmarkDecode is from the bytes of a page to objects in normal decoder.
func BenchmarkDecode(b *testing.B) {
	const users = 200
	body := userPage(users)
	sel := Defaults().selection(nil)
	client := &Client{graph: &url.URL{Scheme: "https", Host: "graph.microsoft.com"}}
	r := NewReader(client, sel)
	u := &usersReading{
		reading: r.newReading("read users", directory.Person, connectors.Request{Mode: connectors.Full}, nil), decoder: newUserDecoder(&sel),
		stated: map[string]string{}, unknown: map[string]struct{}{}, halves: map[string]struct{}{},
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		page, err := openEnvelope("read users", body)
		if err != nil {
			b.Fatal(err)
		}
		if err := u.page(page.value, u.take); err != nil {
			b.Fatal(err)
		}
		if err := u.complete(b.Context()); err != nil {
			b.Fatal(err)
		}
		if p := u.built.page(true); len(p.Objects) != users || len(p.Objects[0].Links) != 3 {
			b.Fatal("not decoded")
		}
		u.built.reset()
	}
	b.ReportMetric(float64(users)*float64(b.N)/b.Elapsed().Seconds(), "users/s")
}

// BenchmarkDecodeStandard is the same page through encoding/json into maps, for comparison.
func BenchmarkDecodeStandard(b *testing.B) {
	body := userPage(200)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var doc struct{ Value []map[string]json.RawMessage }
		if err := json.Unmarshal(body, &doc); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(200*float64(b.N)/b.Elapsed().Seconds(), "users/s")
}

// BenchmarkRead is a whole first read of 2000 people from the simulator, over TLS.
func BenchmarkRead(b *testing.B) {
	w := newWorld(b, microsoftsim.TenantOptions{Population: microsoftsim.Population{People: 2000, SKUs: 3}}, microsoftsim.Pages{})
	c := w.open(nil)
	for b.Loop() {
		n := 0
		err := connectors.Guard(c).Read(b.Context(), connectors.Request{Stream: streamUsers, Mode: connectors.Full}, func(p *connectors.Page) error {
			n += len(p.Objects)
			return nil
		})
		if err != nil || n != 2000 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(2000*float64(b.N)/b.Elapsed().Seconds(), "users/s")
}
