package portal

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// Metrics counts what happens at the portal. Providers and applications are named as the configuration does, so that there are not many of
// them; an application is blank for the central host. Safe for concurrent use.
type Metrics interface {
	// Attempt is called once for each that ended: outcome is OutcomeIn, OutcomeRefused or OutcomeFailed, reason is blank for those who are in.
	Attempt(provider, outcome string, reason signin.Reason)
	// Took is how long a step of a sign-in took, whatever came of it.
	Took(provider, step string, took time.Duration)
	// Verified is what a proxy was told, and how long it waited; app is blank for an address of none.
	Verified(app, answer string, took time.Duration)
	// Sessions is how many there are of each application, all of them named.
	Sessions(byApp map[string]int)
}

// Outcomes of attempts.
const (
	OutcomeIn      = "in"
	OutcomeRefused = "refused"
	OutcomeFailed  = "failed" // something of ours does not work, or the provider cannot be reached
)

// Steps of a sign-in.
const (
	stepBegin   = "begin"   // at the provider's side: discovery, metadata, signing
	stepFinish  = "finish"  // what the browser brought back is checked
	stepWho     = "who"     // the person is looked for
	stepSession = "session" // the session is stored
)

// Answers to proxies.
const (
	answerIn        = "in"
	answerSignIn    = "sign_in"
	answerForbidden = "forbidden"
	answerBroken    = "broken"
)

// uncounted counts nothing.
type uncounted struct{}

func (uncounted) Attempt(string, string, signin.Reason)  {}
func (uncounted) Took(string, string, time.Duration)     {}
func (uncounted) Verified(string, string, time.Duration) {}
func (uncounted) Sessions(map[string]int)                {}

// took measures a step that began at a time.
func (p *Portal) took(provider, step string, began time.Time) {
	p.Metrics.Took(provider, step, p.Now().Sub(began))
}

// outcomeOf says how an attempt ended.
func outcomeOf(reason signin.Reason) string {
	switch reason {
	case "":
		return OutcomeIn
	case signin.Internal, signin.ProviderUnreachable:
		return OutcomeFailed
	}
	return OutcomeRefused
}

// countSessions counts those that have not run out, by application.
func (p *Portal) countSessions(ctx context.Context) error {
	counts := map[string]int{"": 0}
	names := map[string]string{"": ""}
	for i := range p.Apps {
		if p.Apps[i].Inside {
			continue // it has none of its own
		}
		counts[p.Apps[i].Name], names[p.Apps[i].URL.Host] = 0, p.Apps[i].Name
	}
	now := p.Now()
	err := p.Items.Scan(ctx, spaceSession, nil, func(i store.Item) bool {
		var s struct {
			Host string    `json:"host"`
			Ends time.Time `json:"ends"`
		}
		if json.Unmarshal(i.Value, &s) == nil && now.Before(s.Ends) {
			if app, known := names[s.Host]; known {
				counts[app]++
			}
		}
		return ctx.Err() == nil
	})
	if err = errors.Join(err, ctx.Err()); err == nil {
		p.Metrics.Sessions(counts)
	}
	return err
}
