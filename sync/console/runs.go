package console

import (
	"net/http"

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

// run answers: what happened in this run?
func (c *Console) run(w http.ResponseWriter, r *http.Request, s *session) error {
	list, err := c.Operations.Runs(r.Context(), api.RunsRequest{ID: r.PathValue("id"), Limit: runsAtOnce})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		c.refuse(w, r, s, http.StatusNotFound, "There is no such run.", "The latest runs are kept; this one is older, or its id is another.")
		return nil
	}
	return c.show(w, r, s, "run", map[string]any{"Title": "What did this run do?", "At": "runs", "Runs": list})
}
