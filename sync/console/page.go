package console

import (
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/api"
)

//go:embed pages
var files embed.FS

// templates are the pages. They have no script.
func (c *Console) templates() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"since": func(t time.Time) string { return ago(c.Now().Sub(t)) }, "stamp": stamp, "counts": counts, "value": value,
		"tenant": tenantName, "last": last,
		"states": states, "decision": decision, "verdict": verdict, "records": records,
	}).ParseFS(files, "pages/*.html"))
}

// page shows one of the pages; s may be nil.
func (c *Console) page(w http.ResponseWriter, _ *http.Request, s *session, status int, name string, data map[string]any) {
	if s != nil {
		data["User"], data["Form"], data["Operator"] = s.user.Name, s.form, s.user.Role >= Operator
	}
	if data["At"] == nil {
		data["At"] = ""
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := c.pageSet.ExecuteTemplate(w, name, data); err != nil {
		c.Log.Debug("a page was not shown to its end", "page", name, "err", err)
	}
}

// show is page for what went well.
func (c *Console) show(w http.ResponseWriter, r *http.Request, s *session, name string, data map[string]any) error {
	c.page(w, r, s, http.StatusOK, name, data)
	return nil
}

func (c *Console) style(w http.ResponseWriter, _ *http.Request) {
	data, err := files.ReadFile("pages/style.css")
	if err != nil {
		http.Error(w, "no style", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(data)
}

// ago is a duration as people say it.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "in " + ago(-d)
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// stamp is a time to the second, in UTC: operators compare it with logs.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// counts are numbers of actions in a line: "user: 12 create, 3 delete".
func counts(all map[string]map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		var ops []string
		for _, op := range slices.Sorted(maps.Keys(all[kind])) {
			if n := all[kind][op]; n > 0 {
				ops = append(ops, strconv.Itoa(n)+" "+op)
			}
		}
		if len(ops) > 0 {
			parts = append(parts, kind+": "+strings.Join(ops, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// records are numbers by kind in a line: "24 agent, 859 user".
func records(all map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, strconv.Itoa(all[kind])+" "+kind)
	}
	return strings.Join(parts, ", ")
}

// value is that of a field as text.
func value(v any) string {
	switch v := v.(type) {
	case nil:
		return "—"
	case string:
		if v == "" {
			return "—"
		}
		return v
	case []any:
		list := make([]string, len(v))
		for i := range v {
			list[i] = value(v[i])
		}
		return strings.Join(list, ", ")
	case []string:
		return strings.Join(v, ", ")
	default:
		return fmt.Sprint(v)
	}
}

// tenantName is what people call a tenant.
func tenantName(id, name string) string {
	if name != "" {
		return name
	}
	return id
}

// last are the last characters of a run's id, by which commands know it.
func last(id string) string { return id[max(0, len(id)-4):] }

// farthest is beyond any list.
const farthest = 1 << 30

// number reads a number of the address; 0 for what is none.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return min(n, farthest)
}

// row is a tenant with its connection.
type row struct {
	Connection string
	Connector  string
	Running    bool
	Next       time.Time
	api.TenantStatus
}

// rows are all tenants, those that need somebody first.
func rows(s *api.Status) []row {
	var list []row
	for _, conn := range s.Connections {
		for _, t := range conn.Tenants {
			list = append(list, row{conn.Name, conn.Connector, conn.Running, conn.Next, t})
		}
	}
	slices.SortStableFunc(list, func(a, b row) int { return urgency(a.State) - urgency(b.State) })
	return list
}

// states are those of a tenant, in the order of who should look first.
func states() []string { return []string{"failing", "held", "parked", "due", "new", "ok"} }

func urgency(state string) int { return slices.Index(states(), state) }

// decision is what the form needs by which a plan is decided about.
func decision(data map[string]any, hash string) map[string]any {
	return map[string]any{"Operator": data["Operator"], "Form": data["Form"], "Hash": hash}
}

// verdict is what the form needs by which a match is decided about: as it was shown.
func verdict(form any, m api.Match, verdict, candidate, text string) map[string]any {
	return map[string]any{"Form": form, "ID": m.ID, "Fingerprint": m.Fingerprint, "Verdict": verdict, "Candidate": candidate, "Text": text}
}
