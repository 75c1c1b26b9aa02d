package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3/gssapi"
	"github.com/jcmturner/gokrb5/v8/client"
	krb5 "github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"dirsyncd/sync/fault"
)

// principal divides the user into its name and the realm, which is in capitals unless bind.realm says otherwise.
func (b *BindConfig) principal() (user, realm string) {
	user, realm, _ = strings.Cut(b.User, "@")
	realm = strings.ToUpper(realm)
	if b.Realm != "" {
		realm = b.Realm
	}
	return user, realm
}

// kerberosClient is a client of the user's, and by what it reaches key distribution centres.
type kerberosClient struct {
	*gssapi.Client
	relay *kdcRelay
	conf  *krb5.Config
	// find asks DNS for the key distribution centres of a realm that the configuration does not name; nil where it must not.
	find func(realm string) ([]string, error)
}

func (k *kerberosClient) close() {
	_ = k.Close()
	k.relay.close()
}

// kerberos makes a client of the user's, which has no ticket yet. Everything that it needs is read anew: a renewed
// keytab needs no restart.
func (c *Connector) kerberos(ctx context.Context, op string) (*kerberosClient, error) {
	_, realm := c.cfg.Bind.principal()
	conf, err := c.krb5Conf(ctx, op, realm)
	if err != nil {
		return nil, err
	}
	k := &kerberosClient{relay: c.newKDCRelay(ctx), conf: conf}
	if conf.LibDefaults.DNSLookupKDC {
		conf.LibDefaults.DNSLookupKDC = false
		k.find = func(realm string) ([]string, error) { return c.findKDCs(ctx, op, realm) }
	}
	if err = k.relay.all(conf); err != nil {
		err = &fault.Error{Class: fault.Transient, Op: op + ": reach Kerberos", Err: err}
	} else {
		k.Client, err = c.gssapiClient(op, conf)
	}
	if err != nil {
		k.relay.close()
		return nil, err
	}
	return k, nil
}

// unknownRealm is how the library says that it does not know whom to ask in a realm.
var unknownRealm = regexp.MustCompile(`no KDCs defined in configuration for realm ([^\s;<>]+)`)

// manyRealms is how many realms a way to a service may lead through.
const manyRealms = 10

// retry does something with the client, and again for every realm on the way that DNS has to be asked for.
func (k *kerberosClient) retry(fn func() error) error {
	err := fn()
	for range manyRealms {
		if err == nil || k.find == nil {
			return err
		}
		m := unknownRealm.FindStringSubmatch(err.Error())
		if m == nil {
			return err
		}
		kdcs, failed := k.find(m[1])
		if failed != nil {
			return failed
		}
		realm := krb5.Realm{Realm: m[1], KDC: kdcs}
		if failed := k.relay.realm(&realm); failed != nil {
			return failed
		}
		k.conf.Realms = append(k.conf.Realms, realm)
		err = fn()
	}
	return err
}

// gssapiClient makes a client of the user's.
func (c *Connector) gssapiClient(op string, conf *krb5.Config) (*gssapi.Client, error) {
	b := &c.cfg.Bind
	user, realm := b.principal()
	// Active Directory does not know FAST without armour, which the library offers otherwise.
	plain := client.DisablePAFXFAST(true)
	if b.Keytab == "" {
		return &gssapi.Client{Client: client.NewWithPassword(user, realm, b.Password.Reveal(), conf, plain)}, nil
	}
	keys, err := keytab.Load(string(b.Keytab))
	if err != nil {
		return nil, &fault.Error{
			Class: fault.Configuration, Op: op + ": read keytab", Where: string(b.Keytab), Err: err,
			Hint: "the file must be a keytab that this program may read (ktpass, samba-tool domain exportkeytab, kadmin ktadd)",
		}
	}
	return &gssapi.Client{Client: client.NewWithKeytab(user, realm, keys, conf, plain)}, nil
}

// krb5Conf reads the operator's krb5.conf, or makes one that says what is known.
func (c *Connector) krb5Conf(ctx context.Context, op, realm string) (*krb5.Config, error) {
	b := &c.cfg.Bind
	wrong := func(where string, err error) error {
		return &fault.Error{Class: fault.Configuration, Op: op + ": read krb5_conf", Where: where, Err: err, Hint: "check the file, or use realm and kdc in its place"}
	}
	if b.Krb5Conf != "" {
		text, err := os.ReadFile(string(b.Krb5Conf))
		if err != nil {
			return nil, wrong(string(b.Krb5Conf), err)
		}
		conf, err := parseKrb5Conf(string(text))
		if err != nil {
			return nil, wrong(string(b.Krb5Conf), err)
		}
		return conf, nil
	}
	kdcs := []string(b.KDC)
	if len(kdcs) == 0 {
		var err error
		if kdcs, err = c.findKDCs(ctx, op, realm); err != nil {
			return nil, err
		}
	}
	var text strings.Builder
	// Tickets of Active Directory do not fit a datagram. Other realms, of other domains of the forest, are left to DNS.
	fmt.Fprintf(&text, "[libdefaults]\ndefault_realm = %s\ndns_lookup_kdc = true\nudp_preference_limit = 1\n[realms]\n%s = {\n", realm, realm)
	for _, kdc := range kdcs {
		if _, _, err := net.SplitHostPort(kdc); err != nil {
			kdc = net.JoinHostPort(strings.Trim(kdc, "[]"), "88")
		}
		fmt.Fprintf(&text, "kdc = %s\n", kdc)
	}
	text.WriteString("}\n")
	conf, err := krb5.NewFromString(text.String())
	if err != nil {
		return nil, wrong("", err)
	}
	return conf, nil
}

// parseKrb5Conf reads a krb5.conf. The library falls over some that MIT Kerberos reads: a line without a value, a realm
// that is not closed, lines that name other files.
func parseKrb5Conf(text string) (conf *krb5.Config, err error) {
	defer func() {
		if recover() != nil {
			conf, err = nil, errors.New("it holds something that this program cannot read: it reads sections with lines of the form name = value")
		}
	}()
	for i, line := range strings.Split(text, "\n") {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "include" || word == "includedir" || word == "module" {
			return nil, fmt.Errorf("line %d: %s is not followed: write what is needed into one file", i+1, word)
		}
	}
	if strings.Count(text, "{") != strings.Count(text, "}") {
		return nil, errors.New("a brace is not closed")
	}
	conf, err = krb5.NewFromString(text)
	// What the library does not know it leaves out, and says so by an error.
	var unknown krb5.UnsupportedDirective
	if conf != nil && errors.As(err, &unknown) {
		err = nil
	}
	if err == nil && conf == nil {
		err = errors.New("it is empty")
	}
	return conf, err
}

// findKDCs asks DNS for the key distribution centres of a realm (RFC 4120 section 7.2.3.2).
func (c *Connector) findKDCs(ctx context.Context, op, realm string) ([]string, error) {
	_, records, err := c.resolver.LookupSRV(ctx, "kerberos", "tcp", strings.ToLower(realm)+".")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var kdcs []string
	for _, r := range records {
		host := strings.TrimSuffix(r.Target, ".")
		if addresses, err := newResolver(c.cfg.DNS).LookupHost(ctx, host); err == nil && c.cfg.DNS != "" {
			host = addresses[0] // the library asks the machine's DNS server
		}
		if host != "" {
			kdcs = append(kdcs, net.JoinHostPort(host, strconv.Itoa(int(r.Port))))
		}
	}
	if len(kdcs) > 0 {
		return kdcs, nil
	}
	e := &fault.Error{Class: fault.Transient, Op: op + ": find the KDC of " + realm, Err: err, Hint: "set bind.kdc, or dns to a DNS server that knows the realm"}
	if err == nil || notFound(err) {
		e.Class, e.Err = fault.Configuration, errors.New("DNS knows no key distribution centre of this realm")
	}
	return nil, e
}

// kerberosRefusals are errors of key distribution centres (RFC 4120 section 7.5.9) that somebody can do something about.
func kerberosRefusals() map[string]refusal {
	return map[string]refusal{
		"KDC_ERR_C_PRINCIPAL_UNKNOWN": {"the Kerberos server does not know the user", "check bind.user and bind.realm"},
		"KDC_ERR_S_PRINCIPAL_UNKNOWN": {"the Kerberos server does not know the LDAP server", "set bind.service to ldap/ and the server's full name, or use that name in servers"},
		"KDC_ERR_PREAUTH_FAILED":      {"wrong Kerberos key", "the password was changed, or the keytab is older than it: make a new one"},
		"KDC_ERR_CLIENT_REVOKED":      {"the account is disabled, expired or locked", "enable or unlock it"},
		"KDC_ERR_KEY_EXPIRED":         {"password expired", "set a new password, one that does not expire"},
		"KDC_ERR_ETYPE_NOSUPP":        {"no common encryption", "let the account use AES, and set its password anew so that it has AES keys"},
		"KRB_AP_ERR_SKEW":             {"the clocks differ too much", "synchronise the clock of this machine with the domain's"},
	}
}

// ticket gets the ticket for a service. The library reports refusals as text.
func ticket(op string, c *kerberosClient, service string) error {
	err := c.retry(c.Login)
	if err == nil {
		err = c.retry(func() error {
			_, _, err := c.GetServiceTicket(service)
			return err
		})
	}
	var ours *fault.Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	op += ": get a Kerberos ticket for " + service
	text := err.Error()
	for code, r := range kerberosRefusals() {
		if strings.Contains(text, code) {
			return &fault.Error{Class: fault.Auth, Op: op, Err: fmt.Errorf("%s: %s", r.words, code), Hint: r.hint}
		}
	}
	// A key that the keytab does not hold, or that does not open the answer.
	if strings.Contains(text, "keytab") && !strings.Contains(text, "Networking_Error") {
		return &fault.Error{Class: fault.Auth, Op: op, Err: err, Hint: "the keytab must hold the keys of bind.user in bind.realm: make a new one"}
	}
	if failed := c.relay.failure(); failed != nil && strings.Contains(text, "Networking_Error") {
		err = failed // the library has seen no more than the end of a connection
	}
	if errors.Is(err, errKDCTooLong) {
		return &fault.Error{Class: fault.Transient, Op: op, Err: err, Hint: "what answers there is no Kerberos server: check bind.kdc, krb5_conf, or DNS"}
	}
	return &fault.Error{Class: fault.Transient, Op: op, Err: err, Hint: "does a Kerberos server of the realm answer? Set bind.kdc if DNS does not know it"}
}
