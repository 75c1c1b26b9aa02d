package service

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/notices"
	"dirsyncd/sync/notices/recipient"
	"dirsyncd/sync/settings"
)

// expiring lists what runs out within a time, as far as it can be known here: certificates and tokens in files that the configuration
// names, and what sources say of their customers and subscriptions. Secrets that are texts have no date.
func (s *Service) expiring(ctx context.Context, cfg *config.Config) (list []notices.Condition, err error) {
	now, within := s.now(), cfg.Notices.Expiring.Std()
	add := func(where, what string, ends time.Time, hint string) {
		if ends.IsZero() || ends.Sub(now) > within {
			return
		}
		text := fmt.Sprintf("%s runs out on %s", what, ends.UTC().Format(time.DateOnly))
		if ends.Before(now) {
			text = fmt.Sprintf("%s ran out on %s", what, ends.UTC().Format(time.DateOnly))
		}
		list = append(list, notices.Condition{Kind: recipient.Expiring, Where: where, About: what, Text: text, Hint: hint})
	}
	if w := cfg.Web; w != nil && w.Cert != "" {
		addFiles(add, "the public front", settings.Certificates(map[string]settings.Path{"web.tls.cert": w.Cert}))
	}
	for i := range cfg.Connections {
		c := &cfg.Connections[i]
		if block, ok := c.Block.(settings.Perishing); ok {
			addFiles(add, "connection "+c.Name, block.Perishables())
		}
		if c.Connector == cspConnector {
			if err := s.partnerships(ctx, add, c.Name); err != nil {
				return nil, err
			}
		}
	}
	for i := range cfg.Targets {
		if block, ok := cfg.Targets[i].Block.(settings.Perishing); ok {
			addFiles(add, "target "+cfg.Targets[i].Name, block.Perishables())
		}
	}
	return list, nil
}

// addFiles adds files. One that cannot be read is for who uses it to complain about.
func addFiles(add func(where, what string, ends time.Time, hint string), where string, files []settings.Perishable) {
	slices.SortFunc(files, func(a, b settings.Perishable) int { return strings.Compare(a.Key, b.Key) })
	for _, f := range files {
		if f.Good > 0 {
			if info, err := os.Stat(string(f.File)); err == nil {
				add(where, f.Key, info.ModTime().Add(f.Good), "sign in again and write the new token into the file")
			}
			continue
		}
		add(where, f.Key, certificateEnds(string(f.File)), "renew it; most are read again without a restart")
	}
}

// largestCertificate is how much of a file is looked at.
const largestCertificate = 1 << 20

// certificateEnds is when the first certificate of a file is no longer good; zero when there is none that can be read, as in PKCS #12.
func certificateEnds(file string) (ends time.Time) {
	info, err := os.Stat(file)
	if err != nil || info.Size() > largestCertificate {
		return ends
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return ends
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			return c.NotAfter
		}
	}
	return ends
}

// What the connector csp says of a customer.
const (
	cspConnector = "csp"
	gdapEnds     = "gdap_ends"
)

// partnerships adds the relationships with customers that run out.
func (s *Service) partnerships(ctx context.Context, add func(where, what string, ends time.Time, hint string), connection string) error {
	parts, err := s.store.Partitions(ctx, connection)
	if err != nil {
		return err
	}
	for _, p := range parts {
		var customers []directory.Object
		err := s.store.View(ctx, p, func(tx store.Reader) error {
			customers = nil
			return tx.Rows(directory.Customer, 0, func(row store.Row) bool {
				if o, err := directory.ParseObject(row.Data); err == nil && row.Gone == store.Here {
					customers = append(customers, o)
				}
				return true
			})
		})
		if err != nil {
			return err
		}
		for i := range customers {
			o := &customers[i]
			name, _ := o.Get(directory.FieldName)
			if ends, ok := o.Get(directory.AttributePrefix + gdapEnds); ok {
				add("connection "+connection+", customer "+name.Text(), "the GDAP relationship", ends.Time(), "renew it in Partner Center: without it the customer's directory cannot be read")
			}
		}
	}
	return nil
}
