package console

import (
	"net/http"
	"slices"
	"strings"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// people answers: what is known of somebody, and what was done about them?
func (c *Console) people(w http.ResponseWriter, r *http.Request, s *session) error {
	who := strings.TrimSpace(r.FormValue("who"))
	data := map[string]any{"Title": "Find a person", "At": "people", "Who": who}
	if who != "" {
		list, err := c.Operations.Show(r.Context(), api.ShowRequest{Who: who})
		if err != nil && fault.ClassOf(err) != fault.Gone {
			return err
		}
		data["People"], data["Nobody"] = list, len(list) == 0
		if err != nil {
			data["Hint"] = fault.Hint(err)
		}
	}
	return c.show(w, r, s, "people", data)
}

// why answers: why has this field its value?
func (c *Console) why(w http.ResponseWriter, r *http.Request, s *session) error {
	kind, who := r.PathValue("kind"), r.FormValue("who")
	if !slices.Contains(api.ExplainedKinds(), kind) {
		c.refuse(w, r, s, http.StatusNotFound, "There is no such kind of record.", "One of "+strings.Join(api.ExplainedKinds(), ", ")+".")
		return nil
	}
	list, err := c.Operations.Why(r.Context(), kind, who)
	if err != nil {
		return err
	}
	return c.show(w, r, s, "why", map[string]any{"Title": "Why is it so?", "At": "people", "Reasons": list, "Who": who})
}
