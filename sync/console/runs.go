package console

import (
	"net/http"
	"net/url"
	"strconv"

	"dirsyncd/sync/api"
)

// runsAtOnce is how many runs a page lists.
const runsAtOnce = 100

// runs lists the latest runs.
func (c *Console) runs(w http.ResponseWriter, r *http.Request, s *session) error {
	connection := r.FormValue("connection")
	list, err := c.Operations.Runs(r.Context(), api.RunsRequest{Connection: connection, Limit: runsAtOnce})
	if err != nil {
		return err
	}
	return c.show(w, r, s, "runs", map[string]any{"Title": "Runs", "At": "runs", "Runs": list, "Connection": connection, "Plots": plots(list)})
}

// run answers: what happened in this run? Its actions come a page at a time.
func (c *Console) run(w http.ResponseWriter, r *http.Request, s *session) error {
	q := r.URL.Query()
	req := api.RunActionsRequest{Run: r.PathValue("id"), Kind: q.Get("kind"), Op: q.Get("op"), Who: q.Get("who"), From: number(q.Get("from"))}
	answer, err := c.Operations.RunActions(r.Context(), req)
	if err != nil {
		return err
	}
	at := func(from int) string {
		u := url.Values{"kind": {req.Kind}, "op": {req.Op}, "who": {req.Who}, "from": {strconv.Itoa(from)}}
		return "?" + u.Encode()
	}
	return c.show(w, r, s, "run", map[string]any{
		"Title": "What did this run do?", "At": "runs", "Ran": answer, "Run": answer.Run, "Asked": req, "First": req.From + 1, "Last": req.From + len(answer.Actions),
		"Earlier": at(max(0, req.From-api.HeldPage)), "Later": at(req.From + len(answer.Actions)), "Kinds": kindsOf(answer.Run.Counts), "Ops": opsOf(answer.Run.Counts),
	})
}
