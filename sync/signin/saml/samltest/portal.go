package samltest

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/beevik/etree"
)

// Portal are pages of the provider for a browser. A request that is posted to /sso leads to another host of the provider, login, where people choose who they are,
// and are sent back; at /tile they are sent to a service provider that has asked for nothing. Its people are mail addresses by account, which is the NameID. The
// clock is that of this machine.
func (i *IDP) Portal(tb testing.TB, sp SP, login string, people map[string]string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sso", func(w http.ResponseWriter, r *http.Request) {
		request, err := requestID(r.PostFormValue("SAMLRequest"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, login+"/choose?"+url.Values{"request": {request}, "relay": {r.PostFormValue("RelayState")}}.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /choose", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("who") != "" {
			i.send(tb, w, sp, q.Get("request"), q.Get("who"), people, q.Get("relay"))
			return
		}
		page := `<!DOCTYPE html><html lang="en"><title>Who are you?</title><h1>Who are you, at the portal?</h1>`
		for who := range people {
			q.Set("who", who)
			page += fmt.Sprintf(`<p><a id="%s" href="?%s">%s</a></p>`, who, html.EscapeString(q.Encode()), who)
		}
		show(w, page)
	})
	mux.HandleFunc("GET /tile", func(w http.ResponseWriter, r *http.Request) {
		i.send(tb, w, sp, "", r.URL.Query().Get("who"), people, "")
	})
	return mux
}

// send is the page that posts an answer to the service provider.
func (i *IDP) send(tb testing.TB, w http.ResponseWriter, sp SP, request, who string, people map[string]string, relay string) {
	form := i.Form(tb, Response{
		SP: sp, Request: request, At: time.Now(), NameID: who,
		Attributes: `<saml:Attribute Name="mail"><saml:AttributeValue>` + people[who] + `</saml:AttributeValue></saml:Attribute>`,
		Edit: func(response *etree.Element) { // no two answers have an ID in common
			response.CreateAttr("ID", "r-"+rand.Text())
			response.SelectElement("Assertion").CreateAttr("ID", "a-"+rand.Text())
		},
	})
	form.Set("RelayState", relay)
	page := fmt.Sprintf(`<!DOCTYPE html><html lang="en"><title>Going on</title><form method="post" action="%s">`, html.EscapeString(sp.ACS))
	for name, values := range form {
		page += fmt.Sprintf(`<input type="hidden" name="%s" value="%s">`, name, html.EscapeString(values[0]))
	}
	show(w, page+`</form><script>document.forms[0].submit()</script>`)
}

func show(w http.ResponseWriter, page string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, page)
}

// requestID is the ID of a request that was posted.
func requestID(request string) (string, error) {
	text, err := base64.StdEncoding.DecodeString(request)
	if err != nil {
		return "", err
	}
	var r struct {
		ID string `xml:"ID,attr"`
	}
	err = xml.Unmarshal(text, &r)
	return r.ID, err
}
