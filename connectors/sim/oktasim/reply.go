package oktasim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// publicHost stands in links, as with an org that is reached under another name than its own.
const publicHost = "simulated.okta.test"

// reply is an answer before it is sent.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func newReply() *reply {
	return &reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}}
}

func (a *reply) json(v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // made here
	}
	a.body = body
}

// fail makes the answer an error document.
func (a *reply) fail(status int, code, summary string, causes ...string) {
	list := make([]map[string]string, len(causes))
	for i, c := range causes {
		list[i] = map[string]string{"errorSummary": c}
	}
	a.status = status
	a.json(map[string]any{"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae" + code, "errorCauses": list})
}

func (a *reply) link(r *http.Request, rel string, query url.Values) {
	a.header.Add("Link", "<https://"+publicHost+r.URL.Path+"?"+query.Encode()+`>; rel="`+rel+`"`)
}

func (a *reply) write(w http.ResponseWriter) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that has gone
}
