package oidc

import (
	"errors"
	"io"
	"net/http"
	"net/url"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/signin"
)

// errTooLarge is an answer that no provider has a reason to give.
var errTooLarge = errors.New("the answer is too large")

// send sends a request, by https only, and reads the answer up to a size in bytes. Errors hold no address with a query, and no secret.
func (p *Provider) send(req *http.Request, most int64) (status int, header http.Header, body []byte, err error) {
	if req.URL.Scheme != "https" {
		return 0, nil, nil, errors.New("the address is not https")
	}
	resp, err := p.http.Do(req)
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) {
			err = cause.Err // without the address
		}
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, most+1))
	switch {
	case err != nil:
		return 0, nil, nil, err
	case int64(len(body)) > most:
		return 0, nil, nil, errTooLarge
	}
	return resp.StatusCode, resp.Header, body, nil
}

// unreachable makes a refusal of what kept us from the provider's documents. An end of the context stays what it is.
func unreachable(err error) error {
	var f *fault.Error
	if err == nil || !errors.As(err, &f) {
		return err
	}
	return &signin.Refusal{Reason: signin.ProviderUnreachable, Text: (&fault.Error{Op: f.Op, Where: f.Where, Err: f.Err}).Error(), Hint: f.Hint}
}
