package microsoftsim

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestPhotos: a photo is a relationship with a permission of its own, and its content is base64 within a batch.
func TestPhotos(t *testing.T) {
	w := start(t, Options{}, Population{People: 3, Photos: true})
	token, _ := w.token(w.t.ID(), graphScope)
	none, some := "/users/"+w.t.PersonID(0)+"/photo", "/users/"+w.t.PersonID(1)+"/photo"
	get := func(path string) answer { return w.do(http.MethodGet, "/v1.0"+path, token, "") }
	if a := get(none); a.status != http.StatusNotFound || a.code() != "ImageNotFound" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	tag, size := w.t.Photo(w.t.PersonID(1))
	if a := get(some); a.doc["@odata.mediaEtag"] != tag || a.doc["id"] != size || a.doc["width"] != 240.0 || a.doc["@odata.mediaContentType"] != "image/jpeg" {
		t.Errorf("%s: %s", tag, a.raw)
	}
	if a := get(some + "/$value"); a.header.Get("Content-Type") != "image/jpeg" || !strings.HasPrefix(a.raw, "\xFF\xD8") {
		t.Errorf("%q", a.raw)
	}
	body := `{"requests":[{"id":"a","method":"GET","url":"` + some + `/$value"},{"id":"b","method":"GET","url":"` + some + `"},{"id":"c","method":"GET","url":"` + none + `"}]}`
	w.Misbehave(Fault{Kind: Omit, Path: some, Skip: 1, Times: 1})
	w.Misbehave(Fault{Kind: Double, Path: none, Times: 1})
	responses, _ := w.do(http.MethodPost, "/v1.0/$batch", token, body).doc["responses"].([]any)
	if len(responses) != 3 || !strings.HasPrefix(fmt.Sprint(responses[0].(map[string]any)["body"]), "/9j") || responses[1].(map[string]any)["id"] != "c" {
		t.Errorf("%v", responses)
	}
	w.SetQuirks(Quirks{BlankPhotos: true})
	if a := get(none); a.status != http.StatusOK || a.doc["id"] != "1x1" || a.doc["@odata.mediaEtag"] != "" {
		t.Errorf("%d %s", a.status, a.raw)
	}
	w.t.RemovePhoto(w.t.PersonID(1))
	w.t.SetPhoto(w.t.PersonID(0), 96, "x")
	if a, b := get(some), get(none); a.doc["id"] != "1x1" || b.doc["id"] != "96x96" {
		t.Errorf("%s %s", a.raw, b.raw)
	}
	w.t.Revoke(testApp, "User.Read.All")
	if a := get(none); a.status != http.StatusForbidden || a.code() != "Authorization_RequestDenied" {
		t.Errorf("%d %s", a.status, a.raw)
	}
}
