package portal

import (
	"context"
	"encoding/json"
	"net/http"

	"dirsyncd/store"
	"dirsyncd/sync/signin"
)

// putOutcome keeps what was verified until the browser comes for it by what is returned, once.
func (p *Portal) putOutcome(ctx context.Context, o *outcome) (h string, err error) {
	value, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	h = random()
	return h, p.Items.Put(ctx, spaceOutcome, store.Item{Key: hashed(h), Value: value, Until: p.Now().Add(outcomeLife)})
}

// takeOutcome returns it; nil when it is not there, which the browser was told.
func (p *Portal) takeOutcome(w http.ResponseWriter, r *http.Request, provider *Named, h string) *outcome {
	item, ok, err := p.Items.Take(r.Context(), spaceOutcome, hashed(h))
	if err != nil {
		p.fault(w, r, err)
		return nil
	}
	if !ok || !p.Now().Before(item.Until) {
		if !p.signedInAlready(w, r) {
			p.refuse(w, r, Attempt{ID: newAttemptID(), At: p.Now(), Provider: provider.Name},
				&signin.Refusal{Reason: signin.UsedAlready, Text: "the answer was used already, or is older than a minute", Hint: "begin anew at the application"})
		}
		return nil
	}
	var came outcome
	if err := json.Unmarshal(item.Value, &came); err != nil || came.Attempt.Provider != provider.Name {
		p.refuse(w, r, Attempt{ID: newAttemptID(), At: p.Now(), Provider: provider.Name},
			&signin.Refusal{Reason: signin.NotBegunHere, Text: "the answer came from another provider", Hint: "begin anew at the application"})
		return nil
	}
	return &came
}

// askToAccept asks the person whether it is them: without the question anybody could sign a victim's browser in as somebody else.
func (p *Portal) askToAccept(w http.ResponseWriter, r *http.Request, provider *Named, came *outcome) {
	h, err := p.putOutcome(r.Context(), came)
	if err != nil {
		p.fault(w, r, err)
		return
	}
	who := came.Assertion.Mail
	if who == "" {
		who = came.Assertion.Subject.Value
	}
	p.page(w, r, http.StatusOK, "accept", map[string]any{"Who": who, "Action": "/auth/accept/" + provider.Name, "Token": h})
}

// accept takes what the person has said is theirs. The front lets forms of our own pages post here, and no others.
func (p *Portal) accept(w http.ResponseWriter, r *http.Request) {
	provider := p.provider(r.PathValue("provider"))
	if provider == nil || !provider.SAML {
		http.NotFound(w, r)
		return
	}
	came := p.takeOutcome(w, r, provider, r.PostFormValue("token"))
	if came == nil {
		return
	}
	to, ok := p.anywhere(provider, came.Relay)
	if came.Assertion.Request != "" || !ok {
		p.page(w, r, http.StatusBadRequest, "nowhere", nil)
		return
	}
	p.admit(w, r, provider, &pending{RD: to.url}, came.Attempt, &came.Assertion)
}
