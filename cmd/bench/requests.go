package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/connectors/entra"
	"dirsyncd/connectors/google"
	"dirsyncd/connectors/okta"
	"dirsyncd/connectors/sim/googlesim"
	"dirsyncd/connectors/sim/microsoftsim"
	"dirsyncd/connectors/sim/oktasim"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
)

// requestsPeople is how many people the simulated services hold: enough for paging to show.
const requestsPeople = 10_000

// service is a cloud connector with the service that it reads.
type service struct {
	name   string
	source connectors.Connector
	close  func()
	// peoplePage, groupPage and memberPage are the most that the service puts on a page.
	peoplePage, groupPage, memberPage int
	// inline: the members come with the groups; otherwise each group's have pages of their own.
	inline bool
}

// requests counts the requests that a full read and an idle cycle of the cloud connectors need, against the least
// that the services' pages allow.
func requests(ctx context.Context, out io.Writer, o options) error {
	_, _ = fmt.Fprintf(out, "\nrequests for %d people, with groups and memberships\n\n", requestsPeople)
	_, _ = fmt.Fprintf(out, "%-8s %8s %8s %12s %10s %10s %9s %8s\n", "service", "people", "groups", "memberships", "full read", "the least", "idle", "streams")
	for _, open := range []func(string) (*service, error){openEntra, openGoogle, openOkta} {
		s, err := open(o.dir)
		if err != nil {
			return err
		}
		err = s.count(ctx, out)
		s.close()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// count reads everything, then what changed since.
func (s *service) count(ctx context.Context, out io.Writer) error {
	tenants, err := s.source.Tenants(ctx)
	if err != nil {
		return err
	}
	var seen [directory.Site + 1]int
	members := map[string]int{}
	var full, idle connectors.Meter
	cursors := map[string][]byte{}
	streams := s.source.Describe().Streams
	for _, stream := range streams {
		req := connectors.Request{Tenant: tenants[0], Stream: stream.Name, Mode: connectors.Full}
		err := s.source.Read(connectors.WithMeter(ctx, &full), req, func(p *connectors.Page) error {
			for i := range p.Objects {
				seen[p.Objects[i].Kind]++
			}
			for i := range p.Members {
				members[p.Members[i].Group] += len(p.Members[i].Add)
			}
			cursors[stream.Name] = append([]byte(nil), p.Cursor...)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, stream := range streams {
		req := connectors.Request{Tenant: tenants[0], Stream: stream.Name, Mode: connectors.Full}
		if stream.Delta {
			req.Mode, req.Cursor = connectors.Delta, cursors[stream.Name]
		}
		if err := s.source.Read(connectors.WithMeter(ctx, &idle), req, func(*connectors.Page) error { return nil }); err != nil {
			return err
		}
	}
	total := 0
	for _, n := range members {
		total += n
	}
	_, _ = fmt.Fprintf(out, "%-8s %8d %8d %12d %10d %10d %9d %8d\n", s.name, seen[directory.Person], seen[directory.Group], total,
		full.Requests(), s.least(seen[directory.Person], seen[directory.Group], total, members, len(streams)), idle.Requests(), len(streams))
	return nil
}

// least is how many requests the pages of people, groups and members are, and one for each further stream.
func (s *service) least(people, groups, memberships int, members map[string]int, streams int) int {
	pages := func(n, each int) int { return max(1, (n+each-1)/each) }
	n := pages(people, s.peoplePage) + streams - 2
	if s.inline {
		return n + max(pages(groups, s.groupPage), pages(memberships, s.memberPage))
	}
	n += pages(groups, s.groupPage)
	for _, count := range members {
		n += pages(count, s.memberPage)
	}
	return n + groups - len(members)
}

// hurried is an environment in which quotas cost no time: what counts here is the number of requests.
func hurried(name string) connectors.Env {
	return connectors.Env{
		Connection: name, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

func openEntra(dir string) (*service, error) {
	cloud, err := microsoftsim.Start(microsoftsim.Options{})
	if err != nil {
		return nil, err
	}
	t := cloud.AddTenant(microsoftsim.TenantOptions{Population: microsoftsim.Population{People: requestsPeople, Groups: 200, SKUs: 3}})
	cloud.AddApp(microsoftsim.App{ID: customersApp, Home: t.ID(), Secrets: map[string]time.Time{noSecret: {}}})
	t.Consent(customersApp, customerPermissions()...)
	cfg := entra.Defaults()
	cfg.Tenant, cfg.ClientID, cfg.ClientSecret = t.ID(), customersApp, settings.NewSecret(noSecret)
	cfg.Authority, cfg.Graph = cloud.URL(), cloud.URL()
	ca, err := cloud.WriteCA(dir)
	cfg.CAFile = settings.Path(ca)
	return opened(&service{name: "entra", close: func() { _ = cloud.Close() }, peoplePage: 200, groupPage: 100, memberPage: 1000, inline: true},
		err, entra.Factory(), cfg)
}

func openGoogle(string) (*service, error) {
	workspace, err := googlesim.Start(googlesim.Options{})
	if err != nil {
		return nil, err
	}
	workspace.Customer(0).Fill(requestsPeople)
	cfg := google.Defaults()
	cfg.Endpoint, cfg.Credentials, cfg.Subject = workspace.Endpoint(), settings.NewSecret(string(workspace.KeyFile())), workspace.Customer(0).Admin()
	cfg.Quota = 100_000_000
	return opened(&service{name: "google", close: func() { _ = workspace.Close() }, peoplePage: 500, groupPage: 200, memberPage: 200},
		nil, google.Factory(), cfg)
}

func openOkta(string) (*service, error) {
	many := 1_000_000
	org, err := oktasim.Start(oktasim.Options{People: requestsPeople, Groups: 100, Limits: map[string]int{
		"/api/v1/users": many, "/api/v1/users/{id}": many, "/api/v1/groups": many, "/api/v1/groups/{id}": many, "/api/v1/logs": many,
	}})
	if err != nil {
		return nil, err
	}
	cfg := okta.Defaults()
	cfg.URL, cfg.Token = org.URL, settings.NewSecret(org.Token())
	return opened(&service{name: "okta", close: org.Close, peoplePage: 200, groupPage: 200, memberPage: 200}, nil, okta.Factory(), cfg)
}

// opened opens the connector of a service, and closes the service when it cannot.
func opened(s *service, err error, f connectors.Factory, cfg any) (*service, error) {
	if err == nil {
		s.source, err = f.Open(cfg, hurried(s.name))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	shut := s.close
	s.close = func() { _ = s.source.Close(); shut() }
	return s, nil
}
