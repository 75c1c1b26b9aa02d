package service

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"dirsyncd/sync/api"
	"dirsyncd/sync/config"
	"dirsyncd/sync/fault"
	"dirsyncd/sync/notices"
	"dirsyncd/sync/notices/recipient"
)

// conditions is what somebody has to know of how things stand. It is a function of that: nothing here asks anybody.
type conditions struct {
	cfg      *config.Config
	settings *config.Notices
	status   *api.Status
	now      time.Time
	list     []notices.Condition
}

// conditions lists what somebody has to know of how things stand and of what runs out.
func (s *Service) conditions(ctx context.Context, cfg *config.Config, status *api.Status) ([]notices.Condition, error) {
	now := s.now()
	list := conditionsOf(cfg, status, now)
	files, err := s.expiring(ctx, cfg)
	if err != nil {
		return nil, err
	}
	within := config.DefaultNotices().Expiring.Std()
	if cfg.Notices != nil {
		within = cfg.Notices.Expiring.Std()
	}
	for i := range files {
		if c, ok := files[i].condition(now, within); ok {
			list = append(list, c)
		}
	}
	for _, p := range status.Providers {
		for _, end := range p.Ends {
			e := expiry{signinAt + p.Name, "what it signs in with: " + end.Use, end.At, end.Hint}
			if c, ok := e.condition(now, within); ok && end.Soon {
				list = append(list, c)
			}
		}
	}
	return list, nil
}

// signinAt is how the place of a provider of sign-in begins.
const signinAt = "sign-in at "

// conditionsOf lists those of how things stand.
func conditionsOf(cfg *config.Config, status *api.Status, now time.Time) []notices.Condition {
	c := &conditions{cfg: cfg, settings: cfg.Notices, status: status, now: now}
	if c.settings == nil {
		c.settings = config.DefaultNotices() // for those who look
	}
	if status.Problem != "" {
		c.add(recipient.Failing, "the configuration", "reload", "the last reload was refused, and the one before is in force: "+status.Problem, "`dirsyncd check` says what is wrong; mend it and reload", time.Time{})
	}
	for i := range status.Connections {
		c.connection(&status.Connections[i])
	}
	for i := range status.Targets {
		c.target(&status.Targets[i])
	}
	return c.list
}

func (c *conditions) add(kind, where, about, text, hint string, since time.Time) {
	c.list = append(c.list, notices.Condition{Kind: kind, Where: where, About: about, Text: text, Hint: hint, Since: since})
}

func (c *conditions) connection(st *api.ConnectionStatus) {
	settings, ok := c.cfg.Connection(st.Name)
	if !ok {
		return
	}
	objects, proven := 0, false
	for i := range st.Tenants {
		t := &st.Tenants[i]
		where := "connection " + st.Name
		if t.Tenant != "" {
			where += ", tenant " + cmp.Or(t.Name, t.Tenant)
		}
		for _, n := range t.Objects {
			objects += n
		}
		proven = proven || !t.Proven.IsZero()
		c.tenant(where, settings, t)
	}
	where := "connection " + st.Name
	if objects == 0 && proven {
		c.add(recipient.Empty, where, "", "it is read without an error, and there is nobody and nothing in it", "look at what it lists: the base, a filter, the rights of who reads", time.Time{})
	}
	if st.Questions > 0 {
		c.add(recipient.Review, where, "", fmt.Sprintf("%d wait for somebody to say who they are", st.Questions), "`dirsyncd match list`", time.Time{})
	}
}

// lasting are the classes of failure that do not end by themselves: one failed run is enough.
func lasting(class string) bool {
	return slices.Contains([]fault.Class{fault.Auth, fault.Forbidden, fault.Configuration, fault.Internal}, fault.Class(class))
}

func (c *conditions) tenant(where string, settings *config.Connection, t *api.TenantStatus) {
	if h := t.Held; h != nil {
		c.add(recipient.Held, where, h.Hash, "it would "+strings.Join(h.Reasons, "; and "), "look with `dirsyncd held "+h.Hash+"`, then `dirsyncd approve "+h.Hash+"` or `dirsyncd discard "+h.Hash+"`", h.Since)
	}
	if f := t.Failing; f != nil && (f.Runs > 1 || lasting(f.Class)) {
		c.add(recipient.Failing, where, "", f.Text, "`dirsyncd status` says what to do", f.Since)
	}
	if t.Parked > 0 {
		c.add(recipient.Parked, where, "", fmt.Sprintf("%d objects or actions were given up", t.Parked), "`dirsyncd parked list`", time.Time{})
	}
	for _, s := range t.Seats {
		if s.Waiting > 0 {
			c.add(recipient.Seats, where, s.Kind+" "+s.Value, fmt.Sprintf("%d of %d %s seats are taken, and %d people wait for one", s.Taken, s.Limit, strings.TrimSpace(s.Kind+" "+s.Value), s.Waiting), "buy some, or see who needs theirs no more", time.Time{})
		}
	}
	c.proof(where, settings, t)
}

// proof says when what is stored was not proven for too long, or not by a full read.
func (c *conditions) proof(where string, settings *config.Connection, t *api.TenantStatus) {
	since := t.Proven
	if since.IsZero() {
		if since = c.status.Started; t.Failing != nil && (since.IsZero() || t.Failing.Since.Before(since)) {
			since = t.Failing.Since
		}
	}
	if since.IsZero() {
		return
	}
	if limit := c.settings.Unproven.Std(); limit > 0 {
		if c.now.Sub(since) > limit {
			c.unproven(where, "", since)
		}
		return
	}
	deadline := overdue(since, settings.Jitter.Std(), settings.Incremental, settings.Complete)
	if f := t.Failing; f != nil && f.Runs == 1 && !lasting(f.Class) {
		// One run has failed for a reason that mostly ends by itself: the next one may prove it.
		deadline = overdue(f.Since, settings.Jitter.Std(), settings.Incremental, settings.Complete)
	}
	if c.past(deadline) {
		c.unproven(where, "", since)
		return
	}
	if t.Listed.IsZero() || settings.Complete == nil {
		return
	}
	// A full read that fails once is made up for by the next one; what changes is known meanwhile.
	if missed := settings.Complete.Next(t.Listed); c.past(overdue(missed, settings.Jitter.Std(), settings.Complete)) {
		c.unproven(where, "by a full read ", t.Listed)
	}
}

// past reports whether a deadline is over, and the daemon has had time to do something about it.
func (c *conditions) past(deadline time.Time) bool {
	return !deadline.IsZero() && c.now.After(deadline) && c.now.Sub(c.status.Started) > leastOverdue
}

func (c *conditions) unproven(where, how string, since time.Time) {
	c.add(recipient.Unproven, where, how, "what is stored was last proven "+how+"to agree with the source "+ago(c.now.Sub(since))+" ago", "look at `dirsyncd status` and `dirsyncd runs`", since)
}

// leastOverdue is how long at least a scheduled run may take before somebody is told.
const leastOverdue = 30 * time.Minute

// overdue is when somebody has to be told that nothing was proven since a time: half a period after the run that was to do it, of whichever
// schedule comes first; never without any.
func overdue(since time.Time, jitter time.Duration, schedules ...cron.Schedule) (deadline time.Time) {
	for _, s := range schedules {
		if s == nil {
			continue
		}
		first := s.Next(since)
		if first.IsZero() {
			continue
		}
		grace := leastOverdue
		if second := s.Next(first); !second.IsZero() {
			grace = max(grace, second.Sub(first)/2)
		}
		if at := first.Add(grace + jitter); deadline.IsZero() || at.Before(deadline) {
			deadline = at
		}
	}
	return deadline
}

// downFor is how long a target may be down before somebody is told: most of that is an update or a restart.
const downFor = 15 * time.Minute

func (c *conditions) target(st *api.TargetStatus) {
	where := "target " + st.Name
	if st.State == "failing" && !st.Since.IsZero() && c.now.Sub(st.Since) >= downFor {
		c.add(recipient.Failing, where, "", st.Error, "what it misses waits for it; `dirsyncd status` says what to do", st.Since)
	}
	if !st.Oldest.IsZero() && c.now.Sub(st.Oldest) > c.settings.Late.Std() {
		c.add(recipient.Late, where, "", fmt.Sprintf("%d actions wait for it, the oldest for %s", st.Waiting, ago(c.now.Sub(st.Oldest))), "`dirsyncd status` says why", st.Oldest)
	}
	for _, hash := range st.Held {
		c.add(recipient.Held, where, hash, "something waits for an approval", "look with `dirsyncd adopt`, then `dirsyncd approve "+hash+"` or `dirsyncd discard "+hash+"`", time.Time{})
	}
	if n := st.Waits["review"]; n > 0 {
		c.add(recipient.Review, where, "", fmt.Sprintf("%d wait for somebody to say who they are", n), "`dirsyncd match list`", time.Time{})
	}
}

// ago is a time in words.
func ago(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return strings.TrimSuffix(d.Truncate(time.Minute).String(), "0s")
}
