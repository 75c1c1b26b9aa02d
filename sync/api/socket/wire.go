package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"dirsyncd/sync/api"
	"dirsyncd/sync/fault"
)

// The paths of the operations. The number changes when an old client could misunderstand a new server.
const (
	pathStatus  = "/v1/status"
	pathSync    = "/v1/sync"
	pathPlan    = "/v1/plan"
	pathApprove = "/v1/approve"
	pathDiscard = "/v1/discard"
	pathDrain   = "/v1/drain"
	pathPublish = "/v1/config/publish"
	pathResend  = "/v1/resend"
	pathRuns    = "/v1/runs"
	pathWhy     = "/v1/why"
	pathShow    = "/v1/show"
	pathParked  = "/v1/parked"
	pathRetry   = "/v1/parked/retry"
	pathReplay  = "/v1/parked/replay" // the same without progress, for commands of former versions
	pathDrop    = "/v1/parked/drop"
	pathRename  = "/v1/connection/rename"
	pathRetire  = "/v1/connection/retire"
	pathMatches = "/v1/matches"
	pathDecide  = "/v1/matches/decide"
	pathAdopt   = "/v1/adopt"
	pathPlanAt  = "/v1/plan/target"
	pathAudit   = "/v1/audit"
	pathBackup  = "/v1/backup"
	pathStored  = "/v1/stored"
	pathHeld    = "/v1/held"

	pathDecisions = "/v1/decisions"

	pathRunActions = "/v1/runs/actions"
	pathPlanUndo   = "/v1/undo/plan"
	pathUndo       = "/v1/undo"
	pathWhyAt      = "/v1/why/at"

	pathAttempts    = "/v1/signin/attempts"
	pathSessions    = "/v1/signin/sessions"
	pathEndSessions = "/v1/signin/sessions/end"
	pathSigninWho   = "/v1/signin/who"
	pathLinks       = "/v1/signin/links"
	pathUnlink      = "/v1/signin/links/forget"
	pathSigninKeys  = "/v1/signin/keys"
)

// maxBody bounds a request; the longest are configurations (strict.MaxSize) and lists of parked ids.
const maxBody = 8 << 20

type whoRequest struct {
	Who string `json:"who"`
}

type renameRequest struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type retireRequest struct {
	Connection string `json:"connection"`
}

type subject struct {
	Subject string `json:"subject"`
}

type hashRequest struct {
	Hash string `json:"hash"`
}

// idsRequest says all in a word of its own, so that a request without ids is a mistake and not a clean sweep.
type idsRequest struct {
	IDs []string `json:"ids,omitempty"`
	All bool     `json:"all,omitempty"`
}

func (r idsRequest) check() error {
	if r.All == (len(r.IDs) > 0) {
		return invalid("name the ids, or all of them", "")
	}
	return nil
}

type found struct {
	Found int `json:"found"`
}

// line is one line of a streamed answer. Exactly one part is set; Plan, Result, Retried and Error end the stream.
type line struct {
	Progress *api.Progress      `json:"progress,omitempty"`
	Action   *api.PlannedAction `json:"action,omitempty"`
	Result   *api.SyncResult    `json:"result,omitempty"`
	Plan     *api.PlanResult    `json:"plan,omitempty"`
	Retried  *found             `json:"retried,omitempty"`
	Error    *wireError         `json:"error,omitempty"`
}

// wireError is how an error travels.
type wireError struct {
	Class fault.Class `json:"class"`
	Text  string      `json:"text"` // without the hint
	Hint  string      `json:"hint,omitempty"`

	missing bool
}

type errorAnswer struct {
	Error *wireError `json:"error"`
}

func toWire(err error) *wireError {
	if errors.Is(err, context.Canceled) {
		// Whoever still reads this has not gone away, so it is the daemon that does.
		return &wireError{Class: fault.Canceled, Text: "the daemon is stopping", Hint: "what it had begun goes on when it is started again"}
	}
	return &wireError{Class: fault.ClassOf(err), Text: fault.Text(err), Hint: fault.Hint(err), missing: api.IsMissing(err)}
}

func (e *wireError) fault() error {
	return &fault.Error{Class: e.Class, Hint: e.Hint, Err: errors.New(e.Text)}
}

// status is for those who look at the socket with other tools; the client reads the class.
func (e *wireError) status() int {
	if e.missing {
		return http.StatusNotFound
	}
	switch e.Class {
	case fault.Invalid, fault.Configuration:
		return http.StatusBadRequest
	case fault.Gone:
		return http.StatusNotFound
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.Conflict:
		return http.StatusConflict
	case fault.Transient, fault.Throttled, fault.Canceled:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// decode reads a request. What it does not know is refused: an option of a newer client must not be ignored
// in silence.
func decode[T any](body io.Reader) (T, error) {
	var req T
	data, err := io.ReadAll(body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		text := fmt.Sprintf("the request is larger than %d bytes", tooLarge.Limit)
		return req, invalid(text, "ask for less at a time")
	}
	if err != nil {
		return req, invalid("the request broke off: "+plain(err).Error(), "")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		return req, invalid("the request is not what was expected: "+jsonProblem(err), otherVersion)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return req, invalid("the request goes on after its end", otherVersion)
	}
	return req, nil
}

// jsonProblem says what is wrong without quoting what was sent.
func jsonProblem(err error) string {
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.As(err, &mismatch):
		return fmt.Sprintf("field %q has the wrong type", mismatch.Field)
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return strings.TrimPrefix(err.Error(), "json: ")
	default:
		return "it is no JSON"
	}
}

const otherVersion = "command and daemon may be of different versions: restart the daemon after an update"

func invalid(text, hint string) error {
	return &fault.Error{Class: fault.Invalid, Hint: hint, Err: errors.New(text)}
}
