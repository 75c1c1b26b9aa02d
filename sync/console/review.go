package console

import (
	"context"
	"net/http"

	"dirsyncd/sync/api"
)

// listedAtOnce is how much of what waits for somebody a page lists.
const listedAtOnce = 100

// review answers: about whom has somebody to decide?
func (c *Console) review(w http.ResponseWriter, r *http.Request, s *session) error {
	list, err := c.Operations.Matches(r.Context(), "")
	if err != nil {
		return err
	}
	total, from := len(list), number(r.FormValue("from"))
	list = list[min(from, total):min(from+listedAtOnce, total)]
	return c.show(w, r, s, "review", map[string]any{"Title": "Who waits for a decision?", "At": "review", "Matches": list, "Total": total, "Next": from + len(list), "More": from+len(list) < total})
}

// decide does what was decided about what the page has shown: should it be another now, it is refused.
func (c *Console) decide(w http.ResponseWriter, r *http.Request, s *session) error {
	by := api.MatchDecision{ID: r.PostFormValue("id"), Fingerprint: r.PostFormValue("fingerprint"), Verdict: r.PostFormValue("verdict"), Candidate: r.PostFormValue("candidate")}
	var record string
	done, err := c.carryOut(r, "decide", func(ctx context.Context) (err error) {
		record, err = c.Operations.Decide(ctx, by)
		return err
	})
	if err != nil {
		return err
	}
	if !done {
		return c.goesOn(w, r, s, "review")
	}
	return c.show(w, r, s, "done", map[string]any{"Title": "Decided", "At": "review", "Text": "Decided about " + record + "."})
}

// parked answers: what has failed for good?
func (c *Console) parked(w http.ResponseWriter, r *http.Request, s *session) error {
	list, err := c.Operations.Parked(r.Context())
	if err != nil {
		return err
	}
	total, from := len(list), number(r.FormValue("from"))
	list = list[min(from, total):min(from+listedAtOnce, total)]
	return c.show(w, r, s, "parked", map[string]any{"Title": "What is parked?", "At": "parked", "Items": list, "Total": total, "Next": from + len(list), "More": from+len(list) < total})
}

func (c *Console) retry(w http.ResponseWriter, r *http.Request, s *session) error {
	return c.withParked(w, r, s, "Tried again: ", func(ctx context.Context, ids []string) (int, error) { return c.Operations.Replay(ctx, ids, nil) })
}

func (c *Console) drop(w http.ResponseWriter, r *http.Request, s *session) error {
	return c.withParked(w, r, s, "Forgotten: ", c.Operations.Drop)
}

// withParked does something with the items that are ticked. None is not all: that is a command's.
func (c *Console) withParked(w http.ResponseWriter, r *http.Request, s *session, text string, do func(context.Context, []string) (int, error)) error {
	ids := r.PostForm["id"]
	if len(ids) == 0 {
		c.refuse(w, r, s, http.StatusBadRequest, "Nothing was ticked.", "Tick what is meant.")
		return nil
	}
	n := 0
	done, err := c.carryOut(r, "parked", func(ctx context.Context) (err error) {
		n, err = do(ctx, ids)
		return err
	})
	if err != nil {
		return err
	}
	if !done {
		return c.goesOn(w, r, s, "parked")
	}
	return c.show(w, r, s, "done", map[string]any{"Title": "Done", "At": "parked", "Text": text, "Count": n})
}

// decisions answers: who decided what, and when?
func (c *Console) decisions(w http.ResponseWriter, r *http.Request, s *session) error {
	list, err := c.Operations.Decisions(r.Context(), api.DecisionsRequest{Limit: listedAtOnce})
	if err != nil {
		return err
	}
	return c.show(w, r, s, "decisions", map[string]any{"Title": "Who decided what?", "At": "decisions", "Decisions": list})
}
