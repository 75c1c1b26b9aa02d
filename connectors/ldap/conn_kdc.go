package ldap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	krb5 "github.com/jcmturner/gokrb5/v8/config"
)

// The Kerberos library makes room for as much as a key distribution centre says that it will send, up to 4 GiB, before
// anybody has proven anything, and takes no connections of ours. So it is given addresses of this machine, behind which its
// messages are passed on, and answers of a sensible length passed back. They live for one bind.

// maxTicket is the longest message that is passed on, in bytes. The largest tickets, of Active Directory, have 64 KiB
// (MaxTokenSize).
const maxTicket = 256 << 10

// kdcPatience is how long one exchange with a key distribution centre may take. The library waits for five seconds.
const kdcPatience = 10 * time.Second

// kdcRelay passes messages on to key distribution centres.
type kdcRelay struct {
	ctx  context.Context
	stop context.CancelFunc
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	busy sync.WaitGroup

	mu     sync.Mutex
	failed error
}

func (c *Connector) newKDCRelay(ctx context.Context) *kdcRelay {
	inner, stop := context.WithCancel(ctx)
	dialer := net.Dialer{Timeout: kdcPatience / 2, Resolver: newResolver(c.cfg.DNS)}
	return &kdcRelay{ctx: inner, stop: stop, dial: dialer.DialContext}
}

// close ends all exchanges.
func (k *kdcRelay) close() {
	k.stop()
	k.busy.Wait()
}

// failure is why the last exchange that failed did; nil when none has.
func (k *kdcRelay) failure() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}

// all puts addresses of the relay in the place of all that a configuration names, which are then asked by TCP only.
func (k *kdcRelay) all(conf *krb5.Config) error {
	conf.LibDefaults.UDPPreferenceLimit = 1
	for i := range conf.Realms {
		if err := k.realm(&conf.Realms[i]); err != nil {
			return err
		}
	}
	return nil
}

func (k *kdcRelay) realm(realm *krb5.Realm) error {
	kdcs := make([]string, len(realm.KDC))
	for i, kdc := range realm.KDC {
		if _, _, err := net.SplitHostPort(kdc); err != nil {
			kdc = net.JoinHostPort(kdc, "88")
		}
		address, err := k.listen(kdc)
		if err != nil {
			return err
		}
		kdcs[i] = address
	}
	realm.KDC = kdcs
	return nil
}

// listen returns an address of this machine that stands for a key distribution centre.
func (k *kdcRelay) listen(kdc string) (address string, err error) {
	l, err := new(net.ListenConfig).Listen(k.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	context.AfterFunc(k.ctx, func() { _ = l.Close() })
	k.busy.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			k.busy.Go(func() {
				// Who sees the end asks for the reason at once: it is noted first.
				defer func() { _ = conn.Close() }()
				if err := k.exchange(conn, kdc); err != nil && k.ctx.Err() == nil {
					k.mu.Lock()
					k.failed = fmt.Errorf("%s: %w", kdc, err)
					k.mu.Unlock()
				}
			})
		}
	})
	return l.Addr().String(), nil
}

// exchange passes one request on, and its answer back. It leaves from open, unless the bind ends.
func (k *kdcRelay) exchange(from net.Conn, kdc string) error {
	to, err := k.dial(k.ctx, "tcp", kdc)
	if err != nil {
		return err
	}
	defer func() { _ = to.Close() }()
	defer context.AfterFunc(k.ctx, func() { _, _ = from.Close(), to.Close() })()
	for _, c := range []net.Conn{from, to} {
		if err := c.SetDeadline(time.Now().Add(kdcPatience)); err != nil {
			return err
		}
	}
	if err := passMessage(to, from); err != nil {
		return err
	}
	return passMessage(from, to)
}

var errKDCTooLong = errors.New("the answer is longer than any ticket")

// passMessage copies a message of RFC 4120 section 7.2.2: four bytes of length, and so many more.
func passMessage(to io.Writer, from io.Reader) error {
	var head [4]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxTicket {
		return errKDCTooLong
	}
	if _, err := to.Write(head[:]); err != nil {
		return err
	}
	_, err := io.CopyN(to, from, int64(size))
	return err
}
