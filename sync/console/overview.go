package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// tenantsAtOnce is how many tenants a page lists.
const tenantsAtOnce = 100

// overview answers: is everything in sync?
func (c *Console) overview(w http.ResponseWriter, r *http.Request, s *session) error {
	status, err := c.Operations.Status(r.Context())
	if err != nil {
		return err
	}
	runs, err := c.Operations.Runs(r.Context(), api.RunsRequest{Limit: plotted})
	if err != nil {
		return err
	}
	all := rows(&status)
	var wrong []row
	states, people := map[string]int{}, 0
	for _, t := range all {
		states[t.State]++
		people += t.Records["user"] + t.Records["agent"]
		if t.State == "failing" || t.State == "held" || t.State == "parked" {
			wrong = append(wrong, t)
		}
	}
	more := max(0, len(wrong)-tenantsAtOnce)
	know := told(&status)
	moreTold := max(0, len(know)-tenantsAtOnce)
	return c.show(w, r, s, "overview", map[string]any{
		"Title": "Is everything in sync?", "At": "overview", "Status": status, "Wrong": wrong[:len(wrong)-more], "More": more, "Answer": answer(states, len(all), status.Targets, know), "People": people,
		"Told": know[:len(know)-moreTold], "MoreTold": moreTold,
		"Plots": plots(runs), "Waiting": waiting(status.Targets),
	})
}

// told are the conditions that no table of the page says already, and recipients who cannot be told.
func told(s *api.Status) (list []api.Condition) {
	for _, c := range s.Conditions {
		switch c.Kind {
		case "unproven", "late", "empty", "seats", "expiring":
			list = append(list, c)
		case "review":
			if strings.HasPrefix(c.Where, "connection ") {
				list = append(list, c)
			}
		}
	}
	for _, r := range s.Recipients {
		list = append(list, api.Condition{Kind: "not told", Where: "recipient " + r.Name, Text: r.Error, Hint: r.Hint, Since: r.Since})
	}
	return list
}

// answer says in a sentence how many tenants, and which targets, are not as they should be. What is parked at a target is told of
// the tenant of which it is; what is not proven, or late, is not in sync although nothing has failed.
func answer(states map[string]int, all int, targets []api.TargetStatus, know []api.Condition) string {
	var wrong []string
	for _, s := range []struct{ state, text string }{{"failing", "failing"}, {"held", "held"}, {"parked", "with something parked"}} {
		if n := states[s.state]; n > 0 {
			wrong = append(wrong, strconv.Itoa(n)+" "+s.text)
		}
	}
	if len(wrong) > 0 {
		wrong = []string{fmt.Sprintf("of %d, %s", all, strings.Join(wrong, ", "))}
	}
	for i := range targets {
		switch t := &targets[i]; {
		case t.State == "failing":
			wrong = append(wrong, "target "+t.Name+" is failing")
		case len(t.Held) > 0 || t.Waits["review"] > 0:
			wrong = append(wrong, "target "+t.Name+" waits for somebody")
		}
	}
	kinds := map[string]int{}
	for i := range know {
		kinds[know[i].Kind]++
	}
	for _, k := range []struct{ kind, text string }{{"unproven", "not proven for too long"}, {"late", "late with what waits"}, {"empty", "empty"}} {
		if n := kinds[k.kind]; n > 0 {
			wrong = append(wrong, strconv.Itoa(n)+" "+k.text)
		}
	}
	if len(wrong) > 0 {
		return "No: " + strings.Join(wrong, "; ") + "."
	}
	if n := states["new"] + states["due"]; n > 0 {
		return fmt.Sprintf("Nothing is wrong with any of %d; %d wait for their next run.", all, n)
	}
	return fmt.Sprintf("Yes, all %d.", all)
}

// waiting is how many actions targets have not taken.
func waiting(targets []api.TargetStatus) (n int) {
	for _, t := range targets {
		n += t.Waiting
	}
	return n
}

// tenants lists all tenants, or those in a state or of a name.
func (c *Console) tenants(w http.ResponseWriter, r *http.Request, s *session) error {
	status, err := c.Operations.Status(r.Context())
	if err != nil {
		return err
	}
	state, who, from := r.FormValue("state"), strings.ToLower(r.FormValue("who")), number(r.FormValue("from"))
	var list []row
	for _, t := range rows(&status) {
		if (state == "" || t.State == state) && strings.Contains(strings.ToLower(t.Connection+"/"+t.Tenant+" "+t.Name), who) {
			list = append(list, t)
		}
	}
	total := len(list)
	list = list[min(from, total):min(from+tenantsAtOnce, total)]
	return c.show(w, r, s, "tenants", map[string]any{
		"Title": "Tenants", "At": "tenants", "Rows": list, "Total": total, "State": state, "Who": r.FormValue("who"), "From": from, "Next": from + len(list), "More": from+len(list) < total,
	})
}

// sync asks for a run, and does not wait for it.
func (c *Console) sync(w http.ResponseWriter, r *http.Request, _ *session) error {
	connection := r.PostFormValue("connection")
	if connection == "" {
		return &fault.Error{Class: fault.Invalid, Op: "sync", Err: errors.New("no connection is named")}
	}
	req := api.SyncRequest{Connections: []string{connection}, Full: r.PostFormValue("full") != ""}
	ctx, done := c.lasting(r)
	err := c.begin(&c.work, func() {
		defer done()
		if _, err := c.Operations.Sync(ctx, req, nil); err != nil {
			c.Log.Warn("a sync that was asked for at the console failed", "connection", connection, "err", err)
		}
	})
	if err != nil {
		done()
		return err
	}
	http.Redirect(w, r, "/console/tenants?who="+url.QueryEscape(connection), http.StatusSeeOther)
	return nil
}
