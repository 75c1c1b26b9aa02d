package service

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/notices"
	"dirsyncd/sync/notices/recipient"
)

const (
	// noticeTick is how often it is looked whether there is something to tell.
	noticeTick = time.Minute
	// expiryTick is how often it is looked at what runs out: files are read for that, and customers.
	expiryTick = time.Hour
	// noticeLease is how long whoever tells may stand still before another process does.
	noticeLease = time.Minute
)

// announcer tells whom the configuration names what there is to tell, apart from everything else: nobody waits for it. It belongs to one
// goroutine.
type announcer struct {
	service *Service
	host    string

	cfg     *config.Config // for which teller is
	teller  *notices.Teller
	failing bool // the last step failed, and that was logged
}

func newAnnouncer(s *Service) *announcer {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return &announcer{service: s, host: host}
}

// run goes on until ctx ends.
func (a *announcer) run(ctx context.Context) {
	tick := time.NewTicker(noticeTick)
	defer tick.Stop()
	for ctx.Err() == nil {
		if a.service.current().cfg.Notices != nil {
			a.tell(ctx, tick.C)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// tell tells as long as this process is the one that does, and anybody is to be told.
func (a *announcer) tell(ctx context.Context, tick <-chan time.Time) {
	held, release, err := a.service.store.Lease(ctx, "notices", noticeLease)
	if err != nil {
		a.complain(ctx, err)
		return
	}
	defer release()
	a.cfg = nil // another process may have told meanwhile
	for held.Err() == nil && a.service.current().cfg.Notices != nil {
		a.complain(ctx, a.step(held))
		select {
		case <-held.Done():
		case <-tick:
		}
	}
}

// complain logs the first failure of several, and their end.
func (a *announcer) complain(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && !a.failing:
		a.service.log.Error("notices cannot be worked out", "err", err)
	case err == nil && a.failing:
		a.service.log.Info("notices can be worked out again")
	}
	a.failing = err != nil
}

// step tells what there is to tell now.
func (a *announcer) step(ctx context.Context) (err error) {
	defer fault.Recover("work out notices", &err)
	cfg := a.service.current().cfg
	if cfg != a.cfg {
		if err := a.open(cfg); err != nil {
			return err
		}
	}
	status, err := a.service.Status(ctx)
	if err != nil {
		return err
	}
	list, err := a.service.conditions(ctx, cfg, &status)
	if err != nil {
		return err
	}
	return a.teller.Step(ctx, list)
}

// open makes a teller of a configuration.
func (a *announcer) open(cfg *config.Config) error {
	items, err := a.service.items()
	if err != nil {
		return err
	}
	o := notices.Options{Items: items, Now: a.service.now, Host: a.host, Log: a.service.log, Sent: a.service.noticed,
		Pace: notices.Pace{Gather: cfg.Notices.Gather.Std(), Repeat: cfg.Notices.Repeat.Std(), AtMost: cfg.Notices.AtMost}}
	for i := range cfg.Notices.To {
		to := &cfg.Notices.To[i]
		sender, err := to.Open()
		if err != nil {
			sender = unsendable{err} // the others are told all the same
		}
		o.Recipients = append(o.Recipients, notices.Recipient{Name: to.Name, Sender: sender, About: to.About})
	}
	a.cfg, a.teller = cfg, notices.New(o)
	return nil
}

// noticed counts a message, and keeps who could not be told.
func (s *Service) noticed(name string, err error) {
	s.metrics.noticed(name, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.unsent, name)
		return
	}
	st, was := s.unsent[name]
	if !was {
		st = api.RecipientStatus{Name: name, Since: s.now().UTC()}
	}
	st.Error, st.Hint = fault.Text(err), fault.Hint(err)
	if s.unsent == nil {
		s.unsent = map[string]api.RecipientStatus{}
	}
	s.unsent[name] = st
}

// unsentRecipients are those of a configuration who could not be told, by name.
func (s *Service) unsentRecipients(cfg *config.Config) (list []api.RecipientStatus) {
	if cfg.Notices == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range cfg.Notices.To {
		if st, ok := s.unsent[cfg.Notices.To[i].Name]; ok {
			list = append(list, st)
		}
	}
	return list
}

// unsendable stands for a recipient whose settings cannot be used now, such as while a file is missing.
type unsendable struct{ err error }

// Send implements recipient.Sender.
func (u unsendable) Send(context.Context, *recipient.Message) error { return u.err }

// testTime bounds a test message.
const testTime = 30 * time.Second

// TestNotices sends a message to each of some recipients of a configuration, all at the same time.
func TestNotices(ctx context.Context, list []config.Recipient, now time.Time) []api.ProbeResult {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	results := make([]api.ProbeResult, len(list))
	var wg sync.WaitGroup
	for i := range list {
		wg.Go(func() {
			results[i] = withError(api.ProbeResult{Name: list[i].Name, Kind: "recipient"}, sendTest(ctx, &list[i], host, now))
			if len(results[i].Findings) == 0 && results[i].Error == "" {
				results[i].Findings = []api.Finding{{Subject: "it has taken a message", OK: true}}
			}
		})
	}
	wg.Wait()
	return results
}

func sendTest(ctx context.Context, to *config.Recipient, host string, now time.Time) (err error) {
	defer fault.Recover("send a test", &err)
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	sender, err := to.Open()
	if err != nil {
		return fmt.Errorf("recipient %s: %w", to.Name, err)
	}
	return sender.Send(ctx, recipient.Example(host, now))
}
