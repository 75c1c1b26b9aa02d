package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"dirsyncd/sync/api"
)

// undo answers: what would an undo of this run bring back, and what can it not?
func (c *Console) undo(w http.ResponseWriter, r *http.Request, s *session) error {
	q := r.URL.Query()
	req := api.UndoRequest{Run: r.PathValue("id"), Record: q.Get("record"), Kind: q.Get("kind"), Who: q.Get("who"), From: number(q.Get("from"))}
	plan, err := c.Operations.PlanUndo(r.Context(), req)
	if err != nil {
		return err
	}
	at := func(from int) string {
		u := url.Values{"record": {req.Record}, "kind": {req.Kind}, "who": {req.Who}, "from": {strconv.Itoa(from)}}
		return "?" + u.Encode()
	}
	return c.show(w, r, s, "undo", map[string]any{
		"Title": "What would an undo bring back?", "At": "runs", "Plan": plan, "Run": plan.Run, "Asked": req, "First": req.From + 1, "Last": req.From + len(plan.Actions),
		"Earlier": at(max(0, req.From-api.HeldPage)), "Later": at(req.From + len(plan.Actions)), "Kinds": kindsOf(plan.Run.Counts),
	})
}

// approveUndo brings back what was looked at, and goes on when the browser leaves.
func (c *Console) approveUndo(w http.ResponseWriter, r *http.Request, s *session) error {
	if r.PostFormValue("sure") == "" {
		c.refuse(w, r, s, http.StatusBadRequest, "Nothing was undone.", "Tick the box that says that you have looked at it.")
		return nil
	}
	asked := api.UndoApproval{Run: r.PathValue("id"), Record: r.PostFormValue("record"), Approve: r.PostFormValue("hash")}
	var result api.SyncResult
	done, err := c.carryOut(r, "undo", func(ctx context.Context) (err error) {
		result, err = c.Operations.Undo(ctx, asked)
		return err
	})
	if err != nil {
		return err
	}
	if !done {
		return c.goesOn(w, r, s, "runs")
	}
	return c.show(w, r, s, "done", map[string]any{"Title": "Undone", "At": "runs", "Text": "What was shown is brought back. The rules want it otherwise: the next run holds that until somebody approves it.", "Result": result})
}
