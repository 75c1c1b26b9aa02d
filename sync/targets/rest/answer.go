package rest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/targets"
)

// answer is a whole answer. A body that is empty is nil.
type answer struct {
	status int
	header http.Header
	body   any
}

// classes are the words of ErrorRule.Class. Exists and done are no classes of their own.
func classes() map[string]fault.Class {
	return map[string]fault.Class{
		"exists": fault.Invalid, "gone": fault.Gone, "conflict": fault.Conflict, "busy": fault.Transient, "throttled": fault.Throttled, "invalid": fault.Invalid,
		"transient": fault.Transient, "auth": fault.Auth, "forbidden": fault.Forbidden, classDone: "",
	}
}

// classDone is the class of what is so already.
const classDone = "done"

// busyFor is how long something that is busy is left alone, when the place does not say.
const busyFor = 15 * time.Minute

// errDone is the cause of a refusal that says that what was asked for is so already.
var errDone = errors.New("it is so already")

// explain classifies an answer that is not a success.
func (p *place) explain(a *rest.Answer) *fault.Error {
	f := rest.Classify(a)
	body, _ := rest.Document(a.Body)
	word, _, _ := strings.Cut(a.Op, " ")
	r := &rest.Refusal{Status: a.Status}
	if f.Class == fault.Invalid || f.Class == fault.Conflict {
		r.Text = rest.Printable(strings.Join(textsOf(body), "; "))
	}
	f.Err = r
	if judged := p.judge(word, &answer{status: a.Status, header: a.Header, body: body}); judged != nil {
		judged.Op, judged.Where = a.Op, a.Host
		if f.After > 0 {
			judged.After = f.After
		}
		return judged
	}
	switch {
	case a.Status == http.StatusConflict && word == wordCreate:
		f.Class, f.Err = fault.Invalid, errors.Join(r, targets.ErrExists)
	case a.Status == http.StatusUnauthorized:
		f.Hint = "the place does not take what auth gives it: renew it"
	case a.Status == http.StatusForbidden:
		f.Hint = "the account must be allowed to read and to write what kinds names"
	case a.Status == http.StatusNotFound:
		f.Hint = "is url what stands before all paths?"
	}
	return f
}

// judge finds the rule that an answer fulfils; nil for none. A rule without a path of texts sees those of what is no success.
func (p *place) judge(word string, a *answer) *fault.Error {
	good := a.status/100 == 2
	for i := range p.errors {
		r := &p.errors[i]
		if len(r.on) > 0 && !slices.Contains(r.on, word) || len(r.status) > 0 && !slices.Contains(r.status, a.status) {
			continue
		}
		if good && len(r.status) == 0 && r.at == nil && r.text == nil {
			continue
		}
		if r.at != nil {
			if v, _ := r.at.get(a.body); !slices.Contains(r.is, textOf(v)) {
				continue
			}
		}
		from := a.body
		if r.text != nil {
			from, _ = r.text.get(a.body)
		} else if good && r.at == nil {
			from = nil
		}
		texts := textsOf(from)
		if r.matches != nil {
			i := slices.IndexFunc(texts, r.matches.MatchString)
			if i < 0 {
				continue
			}
			texts = texts[i : i+1]
		}
		said := &rest.Refusal{Status: a.status, Text: rest.Printable(strings.Join(texts, "; "))}
		f := &fault.Error{Class: classes()[r.class], Err: said, Hint: r.hint}
		switch r.class {
		case "exists":
			f.Err = errors.Join(said, targets.ErrExists)
		case "busy":
			f.After = busyFor
		case classDone:
			f.Class, f.Err = fault.Invalid, errors.Join(said, errDone)
		}
		return f
	}
	return nil
}
