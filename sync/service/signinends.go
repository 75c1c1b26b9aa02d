package service

import (
	"context"
	"log/slog"
	"time"

	"dirsyncd/store"
	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/patience"
	"dirsyncd/sync/signin"
	"dirsyncd/sync/signin/portal"
)

// endsEvery is how often is looked for what runs out.
const endsEvery = time.Hour

// spaceEnds has how far each end was told of, by provider and use.
const spaceEnds = "ends"

// watchEnds tells of what runs out, until the context ends.
func (s *Service) watchEnds(ctx context.Context, items store.Items, providers []portal.Named) {
	for {
		if err := s.tellEnds(ctx, items, providers); err != nil && ctx.Err() == nil {
			s.log.Error("what runs out at sign-in cannot be looked for", "err", err)
		}
		if patience.Sleep(ctx, endsEvery) != nil {
			return
		}
	}
}

// tellEnds logs each end weeks ahead, a few times in all.
func (s *Service) tellEnds(ctx context.Context, items store.Items, providers []portal.Named) (err error) {
	defer fault.Recover("look for what runs out at sign-in", &err)
	now := s.now()
	for i := range providers {
		w, ok := providers[i].Provider.(signin.Watched)
		if !ok {
			continue
		}
		for _, e := range w.Seen(ctx).Ends {
			if err := tellEnd(ctx, items, s.log, providers[i].Name, e, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func tellEnd(ctx context.Context, items store.Items, log *slog.Logger, provider string, e signin.End, now time.Time) error {
	tell, err := toldBefore(ctx, items, []byte(provider+"/"+string(e.Use)), e, now)
	if tell && err == nil {
		warnOfEnd(log.With("provider", provider, "use", string(e.Use), "ends", e.At.UTC().Format(time.DateOnly), "hint", e.Hint), e.Use, !now.Before(e.At))
	}
	return err
}

func warnOfEnd(log *slog.Logger, use signin.Use, over bool) {
	switch {
	case use == signin.UseSecret && over:
		log.Warn("client secret ran out")
	case use == signin.UseSecret:
		log.Warn("client secret ends soon")
	case use == signin.UseMetadata && over:
		log.Warn("metadata ran out")
	case use == signin.UseMetadata:
		log.Warn("metadata end soon")
	case over:
		log.Warn("certificate ran out")
	default:
		log.Warn("certificate ends soon")
	}
}

// providersSeen is what is known of the providers of a running portal without asking them; of none while nobody signs in here.
func (s *Service) providersSeen(ctx context.Context) map[string]signin.Seen {
	s.mu.Lock()
	door := s.door
	s.mu.Unlock()
	all := make(map[string]signin.Seen)
	if door == nil {
		return all
	}
	for i := range door.portal.Providers {
		n := &door.portal.Providers[i]
		if w, ok := n.Provider.(signin.Watched); ok {
			seen := w.Seen(ctx)
			if in := s.metrics.signin.lastIn(n.Name); in.After(seen.At) {
				seen.At = in
			}
			all[n.Name] = seen
		}
	}
	return all
}

// providerStatus says how the providers are; without a running portal, by the configuration and what was kept.
func (s *Service) providerStatus(ctx context.Context, cfg *config.Config) (list []api.ProviderStatus) {
	if cfg.Signin == nil {
		return nil
	}
	seen := s.providersSeen(ctx)
	for i := range cfg.Signin.Providers {
		name := cfg.Signin.Providers[i].Name
		one, known := seen[name]
		if !known {
			one = s.storedSeen(ctx, cfg, &cfg.Signin.Providers[i])
		}
		st := api.ProviderStatus{Name: name, Seen: one.At}
		for _, e := range one.Ends {
			f := e.Finding(s.now())
			st.Ends = append(st.Ends, api.ProviderEnd{Use: string(e.Use), At: e.At, Soon: !f.OK, Text: f.Text, Hint: f.Hint})
		}
		list = append(list, st)
	}
	return list
}

// storedSeen is what is known of a provider that nobody runs here. One that cannot be made, because this process may not read its secret,
// says nothing.
func (s *Service) storedSeen(ctx context.Context, cfg *config.Config, c *config.Identity) signin.Seen {
	env := signin.Env{Client: newClient(), Now: s.now, Once: fresh{}, Kept: fresh{}, Log: slog.New(slog.DiscardHandler)}
	if items, err := s.items(); err == nil {
		env.Kept = kept{items: items, now: s.now}
	}
	p, err := identityAlone(cfg, *c, s.parts, env)
	if w, ok := p.(signin.Watched); ok && err == nil {
		return w.Seen(ctx)
	}
	return signin.Seen{}
}
