package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dirsyncd/sync/api"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// Why implements api.Operations.
func (s *Service) Why(ctx context.Context, kind, who string) ([]api.Reason, error) {
	k, err := explained(kind)
	if err != nil {
		return nil, err
	}
	var reasons []api.Reason
	var missing error
	for _, name := range s.current().names() {
		conn, done, err := s.use(name)
		if err != nil {
			return nil, err
		}
		found, err := s.whyIn(ctx, conn, k, who)
		done()
		switch {
		case fault.ClassOf(err) == fault.Gone:
			missing = err
		case err != nil:
			return nil, err
		}
		reasons = append(reasons, found...)
	}
	if all := len(s.current().names()); missing != nil && all > 1 {
		missing = nowhere(missing, all)
	}
	if len(reasons) == 0 && missing == nil {
		missing = nothingRead()
	}
	if len(reasons) > 0 {
		missing = nil
	}
	if err := s.atTargets(ctx, reasons); err != nil {
		return nil, err
	}
	return reasons, missing
}

// explained is a kind of record that is explained.
func explained(kind string) (directory.RecordKind, error) {
	k, ok := directory.ParseRecordKind(kind)
	if !ok || !slices.Contains(api.ExplainedKinds(), k.String()) {
		return 0, &fault.Error{Class: fault.Configuration, Op: "why", Err: fmt.Errorf("there is no record kind %q", kind),
			Hint: strings.Join(api.ExplainedKinds(), ", ")}
	}
	return k, nil
}

func nothingRead() error {
	return &fault.Error{Class: fault.Gone, Op: "why", Err: errors.New("nothing was read yet"), Hint: "run `dirsyncd sync` first"}
}

// whyIn asks one connection. A record key names its connection, so that others need not be asked.
func (s *Service) whyIn(ctx context.Context, conn *connection, kind directory.RecordKind, who string) ([]api.Reason, error) {
	if head, _, ok := strings.Cut(who, "/"); ok && head != conn.Name && s.current().connections[head] != nil {
		return nil, nil
	}
	tenants, err := s.engine.StoredTenants(ctx, conn.Name)
	if err != nil {
		return nil, err
	}
	var reasons []api.Reason
	var missing error
	for _, t := range tenants {
		found, err := s.engine.Why(ctx, &conn.Connection, t, kind, who)
		switch {
		case fault.ClassOf(err) == fault.Gone:
			missing = err
		case err != nil:
			return nil, err
		default:
			reasons = append(reasons, each(found, reasonAnswer)...)
		}
	}
	if len(reasons) > 0 {
		missing = nil
	}
	return reasons, missing
}

// nowhere is the error of the last of several connections that know nobody, for all of them.
func nowhere(missing error, connections int) error {
	var e *fault.Error
	if !errors.As(missing, &e) {
		return missing
	}
	all := *e
	all.Where, all.Err = "", fmt.Errorf("%w, in none of %d connections", e.Err, connections)
	return &all
}
