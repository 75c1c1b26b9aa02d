package config

import (
	"net/netip"
	"net/url"
	"strings"

	"dirsyncd/sync/settings"
	"dirsyncd/sync/settings/strict"
)

// Web is the public front: where the daemon can be reached from outside.
type Web struct {
	// URL is how browsers and services see it: https, a host, perhaps a port, no path.
	URL *url.URL
	// Listen is HOST:PORT.
	Listen string
	// Cert and Key are PEM files, or both empty: a proxy of Proxies does TLS.
	Cert, Key settings.Path
	// Proxies are those whose X-Forwarded headers count.
	Proxies []netip.Prefix
}

// webBlock is `web:` as it stands in the file.
type webBlock struct{ strict.Value }

// DecodeStrict implements strict.Decoder.
func (b *webBlock) DecodeStrict(v strict.Value) { b.Value = v }

type webKeys struct {
	URL     string   `yaml:"url" strict:"required"`
	Listen  string   `yaml:"listen" strict:"required"`
	TLS     *tlsKeys `yaml:"tls"`
	Proxies []string `yaml:"proxies"`
}

type tlsKeys struct {
	Cert settings.Path `yaml:"cert" strict:"required"`
	Key  settings.Path `yaml:"key" strict:"required"`
}

// readWeb reads `web:`; nil without it.
func (l *loader) readWeb(v strict.Value) *Web {
	if v.Kind() == strict.None {
		return nil
	}
	var k webKeys
	v.Into(&k)
	web := &Web{Listen: k.Listen}
	if at := v.Get("url"); at.Kind() == strict.Text {
		u, err := url.Parse(k.URL)
		switch {
		case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
			at.Problem("write it as https://sync.example.com", "web.url: %s is not https:// and a host, without a path", short(k.URL))
		default:
			u.Path, u.Host = "", strings.TrimSuffix(u.Host, ":443") // as browsers name it
			web.URL = u
		}
	}
	if at := v.Get("listen"); at.Kind() == strict.Text {
		if message := badAddress(k.Listen); message != "" {
			at.Problem("write host:port such as 127.0.0.1:9443", "web.listen: %s", message)
		} else if k.Listen == l.cfg.Listen {
			at.Problem("write another port", "web.listen: `listen` has the same address, and is not for the public")
		}
	}
	if k.TLS != nil {
		web.Cert, web.Key = k.TLS.Cert, k.TLS.Key
	} else if v.Kind() == strict.Block && len(k.Proxies) == 0 {
		v.MissingKey("proxies", "name the reverse proxies that may ask, such as 127.0.0.1/32, or give the front a certificate: tls: {cert: FILE, key: FILE}")
	}
	var items []strict.Value
	if list := v.Get("proxies"); list.Kind() == strict.List {
		items, _ = list.Items()
	}
	for i, at := range items {
		if at.Kind() != strict.Text || i >= len(k.Proxies) {
			continue
		}
		text := k.Proxies[i]
		p, err := netip.ParsePrefix(text)
		if a, e := netip.ParseAddr(text); err != nil && e == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		switch {
		case err != nil:
			at.Problem("write addresses or networks, such as 127.0.0.1 or 10.0.0.0/24", "web.proxies: %s is not a network", short(text))
		case p.Bits() == 0:
			at.Problem("name the proxies only: whoever is trusted can say who somebody is", "web.proxies: %s is everybody", text)
		default:
			web.Proxies = append(web.Proxies, p.Masked())
		}
	}
	return web
}

// public is the block of a connector that wants to be called from outside; empty when it does not.
type public interface {
	Public() (key string)
}

// checkPublic points to what wants to be called from outside where nothing is public.
func (l *loader) checkPublic(block strict.Value, own any) {
	if p, ok := own.(public); ok && l.cfg.Web == nil && p.Public() != "" {
		at, _ := block.At(p.Public())
		at.Problem("write where the daemon can be reached, `web: {url: https://sync.example.com, listen: 127.0.0.1:9443, proxies: [127.0.0.1]}`, or remove it", "%s: there is no `web:`", at.Label())
	}
}
