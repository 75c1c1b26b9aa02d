package entra

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azurecloud "github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"dirsyncd/connectors"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
	"dirsyncd/sync/rest/tokens"
	"dirsyncd/sync/settings"
)

// Application says as what application to sign in, and how it proves who it is: with exactly one of Secret,
// Certificate, FederatedToken and ManagedIdentity.
type Application struct {
	// Authority is where to sign in, without a path: https://login.microsoftonline.com.
	Authority string
	Tenant    string // GUID or domain of the tenant that is signed in to
	ClientID  string

	Secret settings.Secret
	// Certificate is a PEM or PKCS #12 file with a certificate and its private key.
	Certificate         settings.Path
	CertificatePassword settings.Secret
	// FederatedToken is a file with a token of another authority that Entra ID trusts, read anew every time.
	FederatedToken settings.Path
	// ManagedIdentity is the identity of the Azure machine this runs on; ClientID then names one of several,
	// or is empty.
	ManagedIdentity bool
}

// Credential is how somebody signs in to one tenant. Several clients may share one, and with it the tokens that the
// vendor's library keeps for their whole life, which is up to a day. The library offers no way to drop one: after a
// refusal that a new token may mend (a permission was granted since) the only way is to begin with an empty cache. It
// may be used by many goroutines.
type Credential struct {
	// Open makes one with an empty cache, without network I/O.
	Open func() (azcore.TokenCredential, error)

	mu      sync.Mutex
	current azcore.TokenCredential
}

// Tokens gets tokens for one service. When one is dropped, so is all that the credential keeps.
func (c *Credential) Tokens(scope string, now func() time.Time) *tokens.Cache {
	return tokens.New(tokens.Options{Now: now, Dropped: c.renew, Fetch: func(ctx context.Context, claims string) (tokens.Token, error) {
		cred, err := c.open()
		if err != nil {
			return tokens.Token{}, rest.Fault(opSignIn, fault.Configuration, err)
		}
		return getToken(ctx, cred, policy.TokenRequestOptions{Scopes: []string{scope}, EnableCAE: true, Claims: claims})
	}})
}

func (c *Credential) open() (cred azcore.TokenCredential, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		c.current, err = c.Open()
	}
	return c.current, err
}

func (c *Credential) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = nil
}

// NewCredential makes the credential of an application. client carries the requests; see NewTokenClient. Files are
// looked at once, so that a missing one is told at the start, and read anew whenever the credential begins with an
// empty cache, so that a renewed certificate needs no restart.
func NewCredential(a Application, client *http.Client) (*Credential, error) {
	if a.ManagedIdentity {
		client = newMachineClient()
	}
	open := func() (azcore.TokenCredential, error) { return a.open(client) }
	if _, err := open(); err != nil {
		return nil, rest.Fault(opSignIn, fault.Configuration, err)
	}
	return &Credential{Open: open}, nil
}

// options are those of every credential: no retry of its own, because the transport below has one, and no
// question to a public authority whether ours is well known: the configuration names it.
func (a *Application) options(client *http.Client) azcore.ClientOptions {
	return azcore.ClientOptions{
		Cloud:     azurecloud.Configuration{ActiveDirectoryAuthorityHost: a.Authority},
		Transport: client,
		Retry:     policy.RetryOptions{MaxRetries: -1},
		Telemetry: policy.TelemetryOptions{Disabled: true},
	}
}

func (a *Application) open(client *http.Client) (azcore.TokenCredential, error) {
	options := a.options(client)
	switch {
	case a.ManagedIdentity:
		return a.openManaged(client)
	case a.FederatedToken != "":
		if _, err := readToken(a.FederatedToken); err != nil {
			return nil, err
		}
		assertion := func(context.Context) (string, error) { return readToken(a.FederatedToken) }
		return azidentity.NewClientAssertionCredential(a.Tenant, a.ClientID, assertion, &azidentity.ClientAssertionCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: true,
		})
	case a.Certificate != "":
		return a.openCertificate(options)
	default:
		return azidentity.NewClientSecretCredential(a.Tenant, a.ClientID, a.Secret.Reveal(), &azidentity.ClientSecretCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: true,
		})
	}
}

func (a *Application) openCertificate(options azcore.ClientOptions) (azcore.TokenCredential, error) {
	bad := func(cause error, hint string) error {
		return &fault.Error{Class: fault.Configuration, Op: "read certificate", Where: string(a.Certificate), Err: cause, Hint: hint}
	}
	data, err := os.ReadFile(string(a.Certificate))
	if err != nil {
		return nil, bad(withoutPath(err), "create the file, or correct the path")
	}
	certificates, key, err := azidentity.ParseCertificates(data, []byte(a.CertificatePassword.Reveal()))
	if err != nil {
		return nil, bad(errors.New("no certificate with a private key can be read from it"),
			"put the certificate and its private key into one PEM file, or give a PKCS #12 file with certificate_password; OpenSSL 3 makes one that can be read with `openssl pkcs12 -export -legacy`")
	}
	return azidentity.NewClientCertificateCredential(a.Tenant, a.ClientID, certificates, key, &azidentity.ClientCertificateCredentialOptions{
		ClientOptions: options, DisableInstanceDiscovery: true,
	})
}

// maxToken is more than any token needs.
const maxToken = 64 << 10

func readToken(path settings.Path) (string, error) {
	bad := func(cause error) error {
		return &fault.Error{
			Class: fault.Configuration, Op: "read federated_token_file", Where: string(path), Err: cause,
			Hint: "whoever issues the token must keep the file there and fresh",
		}
	}
	f, err := os.Open(string(path))
	if err != nil {
		return "", bad(withoutPath(err))
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", bad(withoutPath(err))
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", bad(errors.New("the file is empty"))
	}
	return token, nil
}

// withoutPath is the cause of a file's error; the path is told apart from it.
func withoutPath(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// TokenClientOptions say how a token endpoint is reached.
type TokenClientOptions struct {
	Authority string
	Base      http.RoundTripper // see rest.NewBase
	Env       connectors.Env
	Patience  time.Duration // see rest.Options
}

// NewTokenClient makes the HTTP client for a token endpoint: it retries, and explains refusals in the words of
// this package.
func NewTokenClient(o TokenClientOptions) *http.Client {
	hosts := []string{rest.Host(o.Authority)}
	if hosts[0] == "login.chinacloudapi.cn" {
		// Its documents name the token endpoint under the other of its two names.
		hosts = append(hosts, "login.partner.microsoftonline.cn")
	}
	t := rest.NewTransport(rest.Options{
		Base: o.Base, Requested: o.Env.Requested, Sleep: o.Env.Sleep, Hosts: hosts, Patience: o.Patience, MaxBody: 1 << 20,
		Name: func(r *http.Request) string {
			if r.Method == http.MethodPost {
				return "POST token"
			}
			return "GET openid-configuration"
		},
		Explain: explainToken,
	})
	return &http.Client{Transport: capturing{t}, CheckRedirect: rest.NoRedirects}
}

// capturing lets whoever asked for a token know what went wrong beneath.
type capturing struct{ below http.RoundTripper }

func (k capturing) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := k.below.RoundTrip(req)
	var f *fault.Error
	errors.As(err, &f)
	capture(req.Context(), err == nil && req.Method == http.MethodPost, f) // a GET is for metadata
	return resp, err
}
