package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"dirsyncd/connectors/internal/jsonscan"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// perBatch is how many requests the service takes in one ("Combine multiple HTTP requests using JSON batching").
const perBatch = 20

// part is the answer to one request of a batch: the document that was asked for, or a classified error about that
// request alone.
type part struct {
	body jsonscan.Value
	err  error
}

// batch fetches several addresses of Graph with one request, at most perBatch of them, and returns the answers in the
// order of the addresses.
//
// Each part is refused, throttled and metered on its own ("JSON batching"), which the transport beneath does not see.
// So what may pass is asked for again here, without the parts that were answered, after the longest wait that one of
// them was told; and a token that a part does not take is replaced once. What does not pass, a missing permission and
// an answer without one of its parts are errors of the whole. A part with any other error has it to itself.
func (c *Client) batch(ctx context.Context, list []*url.URL) ([]part, error) {
	parts := make([]part, len(list))
	open := make([]int, len(list))
	for i := range list {
		open[i] = i
	}
	retries, renewed := c.retries, false
	for {
		token, err := c.tokens.Get(ctx, "")
		if err != nil {
			return nil, err
		}
		if err := c.exchange(ctx, list, open, parts); err != nil {
			return nil, err
		}
		worst := error(nil)
		again := open[:0]
		for _, i := range open {
			switch class := fault.ClassOf(parts[i].err); {
			case class == fault.Auth, class == fault.Forbidden, class == fault.Configuration, class.Retryable():
				again = append(again, i)
				worst = worse(worst, parts[i].err)
			}
		}
		switch open = again; fault.ClassOf(worst) {
		case "":
			return parts, nil
		case fault.Auth:
			if renewed {
				c.tokens.Drop(token)
				return nil, worst
			}
			renewed = true
			if err := c.renew(ctx, token, worst); err != nil {
				return nil, err
			}
			continue
		case fault.Forbidden:
			c.tokens.Drop(token) // a permission that is granted meanwhile is in a new one only
		}
		if err := retries.Wait(ctx, worst); err != nil {
			return nil, err
		}
	}
}

// worse returns the error of two parts that decides what is done next: one that waiting does not mend, else the one
// that asks for the longest wait.
func worse(a, b error) error {
	switch {
	case a == nil:
		return b
	case fault.ClassOf(a).Retryable() != fault.ClassOf(b).Retryable():
		if fault.ClassOf(a).Retryable() {
			return b
		}
	case fault.After(b) > fault.After(a):
		return b
	}
	return a
}

// renew replaces a token that a part did not take: by one that satisfies what the service asks for, or by a fresh one.
func (c *Client) renew(ctx context.Context, token string, refused error) error {
	if g, ok := asGraph(refused); ok && g.challenge != "" {
		_, err := c.tokens.Get(ctx, g.challenge)
		return err
	}
	c.tokens.Drop(token)
	return nil
}

// batchRequest and batchAnswer are the documents of a batch.
type batchRequest struct {
	Requests []batchedRequest `json:"requests"`
}

type batchedRequest struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"` // without the version's address
	Headers map[string]string `json:"headers"`
}

type batchAnswer struct {
	Responses []struct {
		ID      string                     `json:"id"`
		Status  int                        `json:"status"`
		Headers map[string]json.RawMessage `json:"headers"`
		Body    json.RawMessage            `json:"body"`
	} `json:"responses"`
}

// exchange sends the open requests of a batch and puts what comes into their parts.
func (c *Client) exchange(ctx context.Context, list []*url.URL, open []int, parts []part) error {
	document := batchRequest{Requests: make([]batchedRequest, len(open))}
	for n, i := range open {
		document.Requests[n] = batchedRequest{
			ID: strconv.Itoa(i), Method: http.MethodGet, URL: strings.TrimPrefix(list[i].String(), c.requests.root()),
			Headers: map[string]string{"Accept": "application/json", "x-ms-throttle-priority": "low"},
		}
	}
	sent, _ := json.Marshal(document) // a struct of texts
	body, err := c.call(costing(ctx, len(open)), http.MethodPost, c.requests.batch(), "", sent)
	if err != nil {
		return err
	}
	answers, err := openBatch(body, len(list))
	if err == nil {
		for _, i := range open {
			if answers[i] == nil {
				err = errors.New("an answer is missing among those of a batch")
			}
		}
	}
	if err != nil {
		return &fault.Error{Class: fault.Transient, Op: "POST $batch", Where: c.graph.Host, Err: err, Hint: oddAnswer}
	}
	slow := &rest.Answer{}
	for _, i := range open {
		a := answers[i]
		parts[i] = part{body: jsonscan.Value(a.Body)}
		if a.Status/100 != 2 {
			a.Op, a.Host = opOf(&http.Request{Method: http.MethodGet, URL: list[i]}), c.graph.Host
			parts[i] = part{err: explainGraph(a)}
		}
		if a.Status == http.StatusTooManyRequests || slow.Status != http.StatusTooManyRequests && nearLimit(a.Header) {
			slow = a
		}
	}
	if c.pace != nil && slow.Status != 0 {
		c.pace.onResponse(slow.Status, slow.Header)
	}
	return nil
}

// openBatch reads the answer to a batch whose requests were numbered from 0 to n-1. They come in any order. A number
// that the answer lacks is nil.
func openBatch(body []byte, n int) ([]*rest.Answer, error) {
	var document batchAnswer
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF")), &document); err != nil {
		return nil, errors.New("the answer to a batch is not JSON of its form, or was cut short") // the cause can quote it
	}
	answers := make([]*rest.Answer, n)
	for _, one := range document.Responses {
		i, err := strconv.Atoi(one.ID)
		switch {
		case err != nil || i < 0 || i >= n:
			return nil, errors.New("the answer to a batch holds one that nobody asked for")
		case answers[i] != nil:
			return nil, errors.New("the answer to a batch holds two for the same request")
		case one.Status < 200 || one.Status > 599:
			return nil, fmt.Errorf("an answer within a batch has the status %d", one.Status)
		}
		answers[i] = &rest.Answer{Status: one.Status, Header: http.Header{}, Body: one.Body}
		for name, value := range one.Headers {
			answers[i].Header.Set(name, strings.Trim(string(value), `"`)) // numbers are seen without quotes, too
		}
	}
	return answers, nil
}
