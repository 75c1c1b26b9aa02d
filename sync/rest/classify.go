package rest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/fault"
)

// Classify says what an answer's status alone means. The body is quoted only when it is short text: what a
// service says of people never reaches the log this way, because error documents name none.
func Classify(a *Answer) *fault.Error {
	f := &fault.Error{
		Op: a.Op, Where: a.Host, After: RetryAfter(a.Header, time.Now()),
		Err: fmt.Errorf("%d %s", a.Status, http.StatusText(a.Status)),
	}
	switch {
	case a.Status == http.StatusTooManyRequests:
		f.Class = fault.Throttled
	case a.Status == http.StatusRequestTimeout, a.Status >= 500 && a.Status != http.StatusNotImplemented:
		f.Class = fault.Transient
	case a.Status == http.StatusUnauthorized:
		f.Class = fault.Auth
	case a.Status == http.StatusForbidden:
		f.Class = fault.Forbidden
	case a.Status == http.StatusNotFound, a.Status == http.StatusGone:
		f.Class = fault.Gone
	case a.Status == http.StatusConflict, a.Status == http.StatusPreconditionFailed:
		f.Class = fault.Conflict
	case a.Status == http.StatusProxyAuthRequired, a.Status/100 == 3:
		f.Class = fault.Configuration
		f.Hint = "something between here and the service answers in its place: look at the proxy"
	default:
		f.Class = fault.Invalid
	}
	return f
}

// RetryAfter reads the header Retry-After (RFC 9110 section 10.2.3) as seconds, whole or broken, or as a date.
// What cannot be read, or lies in the past, is zero.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds > 0) { // also not a number
			return 0
		}
		return time.Duration(min(seconds, (30*24*time.Hour).Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// certificateHint says what to do about a certificate that was not accepted; "" when that is not what went wrong.
func certificateHint(err error) string {
	var (
		refused *tls.CertificateVerificationError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &name):
		return "the certificate is for another name: write the address by the name that is in it"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not valid yet: look at this machine's clock, else the service must renew it"
	case errors.As(err, &refused):
		return "the certificate is not trusted: give the authority that signed it as ca_file"
	default:
		return ""
	}
}
