package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"dirsyncd/sync/api"
)

// heldList answers: what waits for an approval?
func (c *Console) heldList(w http.ResponseWriter, r *http.Request, s *session) error {
	status, err := c.Operations.Status(r.Context())
	if err != nil {
		return err
	}
	var list []row
	for _, t := range rows(&status) {
		if t.Held != nil {
			list = append(list, t)
		}
	}
	for _, conn := range status.Unconfigured {
		for _, t := range conn.Tenants {
			if t.Held != nil {
				list = append(list, row{Connection: conn.Name, TenantStatus: t})
			}
		}
	}
	targets := slices.DeleteFunc(slices.Clone(status.Targets), func(t api.TargetStatus) bool { return len(t.Held) == 0 })
	return c.show(w, r, s, "held-list", map[string]any{"Title": "What waits for an approval?", "At": "held", "Rows": list, "Targets": targets})
}

// held answers: what would a held plan do, person by person? One of a target has numbers and examples in place of actions.
func (c *Console) held(w http.ResponseWriter, r *http.Request, s *session) error {
	hash := r.PathValue("hash")
	if target, found, err := c.heldAtTarget(r, hash); err != nil {
		return err
	} else if found {
		return c.show(w, r, s, "held-target", map[string]any{"Title": "What would this do?", "At": "held", "Held": target})
	}
	q := r.URL.Query()
	req := api.HeldRequest{Hash: hash, Kind: q.Get("kind"), Op: q.Get("op"), Who: q.Get("who"), From: number(q.Get("from"))}
	answer, err := c.Operations.Held(r.Context(), req)
	if err != nil {
		return err
	}
	at := func(from int) string {
		u := url.Values{"kind": {req.Kind}, "op": {req.Op}, "who": {req.Who}, "from": {strconv.Itoa(from)}}
		return "?" + u.Encode()
	}
	return c.show(w, r, s, "held", map[string]any{
		"Title": "What would this plan do?", "At": "held", "Held": answer, "Asked": req, "First": req.From + 1, "Last": req.From + len(answer.Actions),
		"Earlier": at(max(0, req.From-api.HeldPage)), "Later": at(req.From + len(answer.Actions)), "Kinds": kindsOf(answer.Counts), "Ops": opsOf(answer.Counts),
	})
}

// heldAtTarget is what waits at a target under a hash.
func (c *Console) heldAtTarget(r *http.Request, hash string) (held api.HeldAtTarget, found bool, err error) {
	status, err := c.Operations.Status(r.Context())
	if err != nil {
		return held, false, err
	}
	for _, t := range status.Targets {
		if !slices.Contains(t.Held, hash) {
			continue
		}
		list, err := c.Operations.Adopt(r.Context(), api.AdoptRequest{Target: t.Name})
		i := slices.IndexFunc(list, func(h api.HeldAtTarget) bool { return h.Hash == hash })
		if err == nil && i < 0 {
			return api.HeldAtTarget{Target: t.Name, Hash: hash}, true, nil
		}
		if err != nil {
			return held, false, err
		}
		return list[i], true, nil
	}
	return held, false, nil
}

// kindsOf and opsOf are what a plan's actions can be told apart by.
func kindsOf(all api.Counts) (list []string) {
	for kind := range all {
		list = append(list, kind)
	}
	slices.Sort(list)
	return list
}

func opsOf(all api.Counts) (list []string) {
	for _, ops := range all {
		for op := range ops {
			if !slices.Contains(list, op) {
				list = append(list, op)
			}
		}
	}
	slices.Sort(list)
	return list
}

// approve lets the plan go ahead, waits for what comes of it, and goes on when the browser leaves.
func (c *Console) approve(w http.ResponseWriter, r *http.Request, s *session) error {
	if r.PostFormValue("sure") == "" {
		c.refuse(w, r, s, http.StatusBadRequest, "Nothing was approved.", "Tick the box that says that you have looked at it.")
		return nil
	}
	var result api.SyncResult
	done, err := c.carryOut(r, "approve", func(ctx context.Context) (err error) {
		result, err = c.Operations.Approve(ctx, r.PathValue("hash"))
		return err
	})
	if err != nil {
		return err
	}
	if !done {
		return c.goesOn(w, r, s, "held")
	}
	return c.show(w, r, s, "done", map[string]any{"Title": "Approved", "At": "held", "Text": "The plan went ahead.", "Result": result})
}

func (c *Console) discard(w http.ResponseWriter, r *http.Request, s *session) error {
	done, err := c.carryOut(r, "discard", func(ctx context.Context) error { return c.Operations.Discard(ctx, r.PathValue("hash")) })
	if err != nil {
		return err
	}
	if !done {
		return c.goesOn(w, r, s, "held")
	}
	return c.show(w, r, s, "done", map[string]any{"Title": "Discarded", "At": "held", "Text": "The plan was thrown away. The next run reads in full; if the source still says the same, so will the next plan."})
}
