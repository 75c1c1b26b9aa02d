// Package recipient sends notices to those who look after dirsyncd: by mail, or to a webhook. It knows how a message looks
// and how it gets there; what is told, to whom and when is package notices'.
package recipient

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"time"

	"dirsyncd/sync/settings"
)

// Notice is one thing that somebody is told. It holds no personal data.
type Notice struct {
	// Kind says what it is about, such as Held.
	Kind string `json:"kind"`
	// State is new, lasting (told before and still so) or over.
	State string `json:"state"`
	// Where names what it is about: "connection hq-ad", "target desk".
	Where string    `json:"where"`
	Text  string    `json:"text"`
	Hint  string    `json:"hint,omitempty"` // what to do
	Since time.Time `json:"since,omitzero"`
}

// The states of a notice.
const (
	New     = "new"
	Lasting = "lasting"
	Over    = "over"
)

// Message is some notices for one recipient.
type Message struct {
	// ID is the same for each attempt at a message, and different for every other one.
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	Host    string    `json:"host"` // the machine on which dirsyncd runs
	Subject string    `json:"subject"`
	Text    string    `json:"text"` // all of it in words
	Notices []Notice  `json:"notices"`
}

// Sender takes messages to a recipient. It may be used by one goroutine at a time.
type Sender interface {
	// Send returns when the recipient has taken the message, or with an error, classified by package fault, when it has not or
	// may not have. It ends with ctx.
	Send(ctx context.Context, m *Message) error
}

// Templates are how messages look, as texts of text/template over a Message. An empty one is the default. Besides what the
// language has, `json` writes a value as JSON.
type Templates struct {
	Subject string `yaml:"subject"`
	Text    string `yaml:"text"`
	// Body is what a webhook is sent; the default is the message as JSON.
	Body string `yaml:"body"`
}

const defaultSubject = `dirsyncd on {{.Host}}: {{range $i, $n := .Notices}}{{if lt $i 3}}{{if $i}}; {{end}}{{$n.Where}} {{word $n}}{{end}}{{end}}{{more .Notices 3}}`

const defaultText = `{{range .Notices}}{{.Where}} {{word .}}{{if not .Since.IsZero}} (since {{.Since.UTC.Format "2006-01-02 15:04"}} UTC){{end}}
{{if .Text}}  {{if eq .State "over"}}it was: {{end}}{{.Text}}
{{end}}{{if .Hint}}  what to do: {{.Hint}}
{{end}}
{{end}}`

// defaultBody is the message as it is.
const defaultBody = `{{json .}}`

// funcs are what templates may call.
func funcs() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			data, err := json.Marshal(v)
			return string(data), err
		},
		"word": word,
		"more": func(list []Notice, shown int) string {
			if len(list) <= shown {
				return ""
			}
			return fmt.Sprintf(", and %d more", len(list)-shown)
		},
	}
}

// word says how it is, as what follows the name of the place.
func word(n Notice) string {
	begins, ends := "is "+n.Kind, "is no longer "+n.Kind
	switch n.Kind {
	case Review:
		begins, ends = "waits for review", "waits for no review any more"
	case Seats:
		begins, ends = "is out of seats", "has seats again"
	case Expiring:
		begins, ends = "has something that runs out", "has one thing less that runs out"
	}
	switch n.State {
	case Over:
		return ends
	case Lasting:
		return begins + ", still"
	default:
		return begins
	}
}

// longest bounds what a template makes.
const longest = 1 << 20

func render(name, text string, m *Message) (string, error) {
	t, err := template.New(name).Funcs(funcs()).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	if err := t.Execute(&limited{&out}, m); err != nil {
		return "", err
	}
	return out.String(), nil
}

// limited refuses what is longer than longest.
type limited struct{ *strings.Builder }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > longest {
		return 0, fmt.Errorf("longer than %d bytes", longest)
	}
	return l.Builder.Write(p)
}

// fill writes subject and text of a message.
func (t *Templates) fill(m *Message) error {
	subject, err := render("subject", or(t.Subject, defaultSubject), m)
	if err != nil {
		return err
	}
	m.Subject = strings.Join(strings.Fields(subject), " ") // one line, whatever a template or an error text holds
	text, err := render("text", or(t.Text, defaultText), m)
	m.Text = strings.TrimSpace(text) + "\n"
	return err
}

func (t *Templates) body(m *Message) (string, error) {
	return render("body", or(t.Body, defaultBody), m)
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// Example is a message of two notices, such as Check and a test send.
func Example(host string, now time.Time) *Message {
	return &Message{ID: "test-" + now.UTC().Format("20060102T150405.000"), Time: now.UTC(), Host: host, Notices: []Notice{
		{Kind: "a test", State: New, Where: "this message", Text: "notices reach you", Since: now.UTC()},
	}}
}

// check reports what is wrong with the templates.
func (t *Templates) check(issues *settings.Issues) {
	m := Example("host", time.Unix(0, 0))
	m.Notices = append(m.Notices, Notice{Kind: Failing, State: Over, Where: `connection "x"`, Text: "text", Hint: "hint"})
	for _, one := range []struct{ key, text string }{{"subject", t.Subject}, {"text", t.Text}, {"body", t.Body}} {
		if _, err := render(one.key, one.text, m); err != nil {
			issues.Report(one.key, "it is a text of Go's text/template; the documentation has its fields", "%s", err)
		}
	}
}
