package service

import (
	"log/slog"
	"net/http"

	"dirsyncd/sync/config"
	"dirsyncd/sync/web"
)

// largestNotice is how much a source may send at a time, in bytes; a connector has a limit of its own.
const largestNotice = 1 << 20

// newFront returns the public front of a configuration; nil without one.
func newFront(c *config.Web, log *slog.Logger) *web.Front {
	if c == nil {
		return nil
	}
	return web.New(web.Options{URL: c.URL, Listen: c.Listen, Cert: string(c.Cert), Key: string(c.Key), Proxies: c.Proxies, Log: log.With("listener", "web")})
}

// public lets the source of a connection be called from outside; nil without a front.
func (h *host) public(connection string) func(http.Handler) (string, func(), error) {
	if h == nil || h.front == nil {
		return nil
	}
	return func(handler http.Handler) (address string, release func(), err error) {
		path := "/notices/" + connection
		release, err = h.front.Mount(path, web.Route{Handler: handler, Body: largestNotice, CrossSite: true})
		return h.front.URL(path), release, err
	}
}
