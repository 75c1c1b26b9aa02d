package service

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/config"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/notices"
	"dirsyncd/sync/notices/recipient"
	"dirsyncd/sync/patience"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/signin"
)

// expiry is something that runs out.
type expiry struct {
	where, what string
	ends        time.Time
	hint        string
}

// expiries are those of a configuration, as they were looked up at a time.
type expiries struct {
	cfg  *config.Config
	at   time.Time
	list []expiry
}

// expiring lists what runs out, as far as it can be known here: certificates and tokens in files that the configuration names, and what
// sources say of their customers and subscriptions. Secrets that are texts have no date, and sign-in knows its own (providerStatus). It is
// looked up once in expiryTick: files are read for that, and customers.
func (s *Service) expiring(ctx context.Context, cfg *config.Config) ([]expiry, error) {
	s.expiryLock.Lock()
	defer s.expiryLock.Unlock()
	now := s.now()
	if had := &s.expiries; had.cfg == cfg && !now.Before(had.at) && now.Sub(had.at) < expiryTick {
		return had.list, nil
	}
	list := filesThatExpire(cfg)
	for i := range cfg.Connections {
		if c := &cfg.Connections[i]; c.Connector == cspConnector {
			more, err := s.partnerships(ctx, c.Name)
			if err != nil {
				return nil, err
			}
			list = append(list, more...)
		}
	}
	s.expiries = expiries{cfg, now, list}
	return list, nil
}

// filesThatExpire are the files that a configuration names.
func filesThatExpire(cfg *config.Config) (list []expiry) {
	add := func(where string, files []settings.Perishable) {
		slices.SortFunc(files, func(a, b settings.Perishable) int { return cmp.Compare(a.Key, b.Key) })
		for i := range files {
			hint := "renew it; most are read again without a restart"
			if files[i].Good > 0 {
				hint = "sign in again and write the new token into the file"
			}
			if ends := files[i].End(); !ends.IsZero() {
				list = append(list, expiry{where, files[i].Key, ends, hint})
			}
		}
	}
	if w := cfg.Web; w != nil && w.Cert != "" {
		add("the public front", settings.Certificates(map[string]settings.Path{"web.tls.cert": w.Cert}))
	}
	for i := range cfg.Connections {
		if block, ok := cfg.Connections[i].Block.(settings.Perishing); ok {
			add("connection "+cfg.Connections[i].Name, block.Perishables())
		}
	}
	for i := range cfg.Targets {
		if block, ok := cfg.Targets[i].Block.(settings.Perishing); ok {
			add("target "+cfg.Targets[i].Name, block.Perishables())
		}
	}
	if cfg.Notices == nil {
		return list
	}
	for i := range cfg.Notices.To {
		to := &cfg.Notices.To[i]
		if to.Mail != nil {
			add("recipient "+to.Name, settings.Certificates(map[string]settings.Path{"mail.ca_file": to.Mail.CAFile}))
		}
		if to.Webhook != nil {
			add("recipient "+to.Name, settings.Certificates(map[string]settings.Path{"webhook.ca_file": to.Webhook.CAFile}))
		}
	}
	return list
}

// stages are the days before its end at which something is told of.
func stages() []int { return []int{0, 1, 7, 14, 30} }

// condition says that something runs out within a time; false where it does not.
func (e *expiry) condition(now time.Time, within time.Duration) (c notices.Condition, ok bool) {
	left := e.ends.Sub(now)
	if left > within {
		return c, false
	}
	c = notices.Condition{Kind: recipient.Expiring, Where: e.where, About: e.what, Hint: e.hint, Ends: e.ends, Stage: "early"}
	for _, days := range stages() {
		if left <= time.Duration(days)*day {
			c.Stage = fmt.Sprint(days)
			break
		}
	}
	verb := "runs out"
	if left <= 0 {
		verb = "ran out"
	}
	c.Text = fmt.Sprintf("%s %s on %s", e.what, verb, e.ends.UTC().Format(time.DateOnly))
	return c, true
}

const day = 24 * time.Hour

// watchExpiring logs what runs out, at each of the stages once, until ctx ends. What sign-in needs is told by its own (watchEnds).
func (s *Service) watchExpiring(ctx context.Context) {
	for {
		if err := s.tellExpiring(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("what runs out cannot be looked for", "err", err)
		}
		if patience.Sleep(ctx, expiryTick) != nil {
			return
		}
	}
}

func (s *Service) tellExpiring(ctx context.Context) (err error) {
	defer fault.Recover("look for what runs out", &err)
	items, err := s.items()
	if err != nil {
		return err
	}
	list, err := s.expiring(ctx, s.current().cfg)
	if err != nil {
		return err
	}
	now := s.now()
	for i := range list {
		e := &list[i]
		tell, err := toldBefore(ctx, items, []byte("file/"+e.where+"/"+e.what), signin.End{At: e.ends}, now)
		if err != nil {
			return err
		}
		if c, ok := e.condition(now, signin.Soon); ok && tell {
			s.log.Warn("something runs out", "where", e.where, "text", c.Text, "ends", e.ends.UTC().Format(time.DateOnly), "hint", e.hint)
		}
	}
	return nil
}

// toldBefore keeps how far an end was told of, and reports whether it is to be told of now.
func toldBefore(ctx context.Context, items store.Items, key []byte, e signin.End, now time.Time) (tell bool, err error) {
	item, found, err := items.Get(ctx, spaceEnds, key)
	if err != nil {
		return false, err
	}
	var told signin.Told
	if found && json.Unmarshal(item.Value, &told) != nil {
		told = signin.Told{} // it is told of once more
	}
	next, tell := told.Next(e, now)
	if next != told {
		value, err := json.Marshal(next)
		if err != nil {
			return false, err
		}
		if err := items.Put(ctx, spaceEnds, store.Item{Key: key, Value: value}); err != nil {
			return false, err
		}
	}
	return tell, nil
}

// What the connector csp says of a customer.
const (
	cspConnector = "csp"
	gdapEnds     = "gdap_ends"
)

// lapsedFor is how long it is told that a subscription has ended: what nobody has missed by then is given up.
const lapsedFor = 30 * day

// partnerships are the relationships with customers that run out, and subscriptions of theirs that end and are not renewed by themselves.
func (s *Service) partnerships(ctx context.Context, connection string) (list []expiry, err error) {
	parts, err := s.store.Partitions(ctx, connection)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		var customers, licences []directory.Object
		var tenant store.TenantState
		err := s.store.View(ctx, p, func(tx store.Reader) (err error) {
			if customers, err = present(tx, directory.Customer); err != nil {
				return err
			}
			if licences, err = present(tx, directory.Licence); err != nil {
				return err
			}
			tenant, err = tx.Tenant()
			return err
		})
		if err != nil {
			return nil, err
		}
		for i := range customers {
			o := &customers[i]
			name, _ := o.Get(directory.FieldName)
			if ends, ok := o.Get(directory.AttributePrefix + gdapEnds); ok && !ends.Time().IsZero() {
				list = append(list, expiry{"connection " + connection + ", customer " + name.Text(), "the GDAP relationship", ends.Time(), "renew it in Partner Center: without it the customer's directory cannot be read"})
			}
		}
		for i := range licences {
			o := &licences[i]
			ends, known := o.Get(directory.FieldExpires)
			renews, told := o.Get(directory.FieldAutoRenew)
			if !known || !told || renews.Bool() || s.now().Sub(ends.Time()) > lapsedFor {
				continue // of one that renews itself the date is that of the next bill
			}
			name, _ := o.Get(directory.FieldName)
			list = append(list, expiry{"connection " + connection + ", customer " + cmp.Or(tenant.Name, p.Tenant), "the subscription " + cmp.Or(name.Text(), o.ID), ends.Time(), "renew it, or tell the customer; who has a licence of it loses it then"})
		}
	}
	return list, nil
}

// present are the objects of a kind that are there.
func present(tx store.Reader, kind directory.Kind) (list []directory.Object, err error) {
	err = tx.Rows(kind, 0, func(row store.Row) bool {
		if o, err := directory.ParseObject(row.Data); err == nil && row.Gone == store.Here {
			list = append(list, o)
		}
		return true
	})
	return list, err
}
