package entra

import (
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// newMachineClient makes the client that asks the Azure machine itself for its identity. That protocol answers with
// refusals that mean something, so it does not go through our transport; and never through a proxy.
func newMachineClient() *http.Client {
	return &http.Client{
		// The library insists on a plain transport in some places.
		Transport: &http.Transport{
			Proxy: nil, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: 90 * time.Second,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: rest.NoRedirects,
	}
}

func (a *Application) openManaged(client *http.Client) (azcore.TokenCredential, error) {
	options := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: azcore.ClientOptions{
		Transport:        client,
		Telemetry:        policy.TelemetryOptions{Disabled: true},
		PerRetryPolicies: []policy.Policy{machineKeeping{}},
	}}
	if a.ClientID != "" {
		options.ID = azidentity.ClientID(a.ClientID)
	}
	return azidentity.NewManagedIdentityCredential(options)
}

// machineKeeping lets whoever asked for a token know what the machine said, and whether it was a refusal.
type machineKeeping struct{}

// Do implements policy.Policy.
func (machineKeeping) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	f := &fault.Error{
		Class: fault.Transient, Op: opSignIn, Where: req.Raw().URL.Host,
		Hint: "see whether the identity is assigned to this machine; managed_identity works on Azure's machines only",
	}
	switch {
	case err != nil:
		f.Err = errors.New("this machine does not answer when it is asked for its identity")
	case resp.StatusCode == http.StatusTooManyRequests:
		f.Class, f.After, f.Err = fault.Throttled, rest.RetryAfter(resp.Header, time.Now()), errors.New(resp.Status)
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusGone:
		f.Err = errors.New(resp.Status)
	case resp.StatusCode/100 == 4:
		f.Class, f.Err = fault.Auth, errors.New(resp.Status)
	default:
		f = nil
	}
	capture(req.Raw().Context(), err == nil && resp.StatusCode/100 == 2, f)
	return resp, err
}
