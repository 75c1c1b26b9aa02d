package web

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"dirsyncd/sync/fault"
)

// tls returns what makes a listener one of TLS, or leaves it as it is. The error, of class Configuration, says that there is no
// certificate to begin with.
func (f *Front) tls() (func(net.Listener) net.Listener, error) {
	if f.o.Cert == "" {
		return func(l net.Listener) net.Listener { return l }, nil
	}
	c := &certificate{cert: f.o.Cert, key: f.o.Key}
	if _, err := c.get(nil); err != nil {
		return nil, &fault.Error{Class: fault.Configuration, Op: "read the certificate", Where: f.o.Cert, Err: withoutPath(err),
			Hint: "`web.tls.cert` and `web.tls.key` must be a PEM certificate and its key, which this user may read"}
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
	return func(l net.Listener) net.Listener { return tls.NewListener(l, settings) }, nil
}

// certificate is a pair of files, read again when one of them has changed: a renewed certificate needs no restart. While
// what is there cannot be read, as in the midst of a renewal, the last good one serves.
type certificate struct {
	cert, key string

	mu     sync.Mutex
	pair   *tls.Certificate
	stamps [2]stamp
}

// stamp tells a file from what it was before.
type stamp struct {
	when time.Time
	size int64
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var now [2]stamp
	for i, file := range []string{c.cert, c.key} {
		info, err := os.Stat(file)
		if err != nil {
			return c.orLast(err)
		}
		now[i] = stamp{info.ModTime(), info.Size()}
	}
	if c.pair != nil && now == c.stamps {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return c.orLast(err)
	}
	c.pair, c.stamps = &pair, now
	return c.pair, nil
}

func (c *certificate) orLast(err error) (*tls.Certificate, error) {
	if c.pair != nil {
		return c.pair, nil
	}
	return nil, err
}

// withoutPath is the cause alone, where the message names the file already.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
