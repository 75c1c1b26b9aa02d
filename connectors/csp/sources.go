package csp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"dirsyncd/sync/fault"
	"dirsyncd/sync/rest"
)

// sources read the lists of customers. It may be used by many goroutines.
type sources struct {
	cfg    *Config
	center partnerCenter
	graph  partnerGraph
	pace   rest.Pace // of Partner Center

	mu   sync.Mutex
	last answers // what each source said last
}

// customersPerPage is the largest page of Partner Center.
const customersPerPage = 500

// ask reads all sources at the same time. The errors are those of the sources that failed, in the order of the
// configuration.
func (s *sources) ask(ctx context.Context) (answers, []error) {
	var (
		got answers
		wg  sync.WaitGroup
	)
	failed, invalid := make([]error, len(s.cfg.Sources)), make([][]error, len(s.cfg.Sources))
	for i, name := range s.cfg.Sources {
		wg.Go(func() {
			defer fault.Recover("list customers", &failed[i])
			switch name {
			case sourcePartnerCenter:
				got.center, invalid[i], failed[i] = s.center.customers(ctx, customersPerPage)
			case sourceGDAP:
				got.relations, invalid[i], failed[i] = s.graph.relationships(ctx)
			case sourceContracts:
				got.contracts, invalid[i], failed[i] = s.graph.contracts(ctx)
			}
			failed[i] = sourceFault(name, failed[i])
		})
	}
	wg.Wait()
	got.invalid = map[string][]error{}
	for i, name := range s.cfg.Sources {
		if len(invalid[i]) > 0 {
			got.invalid[name] = invalid[i]
		}
	}
	return got, slices.DeleteFunc(failed, func(err error) bool { return err == nil })
}

// sourceFault says which list could not be read. A list without rights for it is the connection's trouble and none of
// a customer's.
func sourceFault(name string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	named := *f
	named.Where = strings.TrimSuffix(sourceWord+name+", "+f.Where, ", ")
	return &named
}

// sourceWord begins the place of an error of the partner's own side.
const sourceWord = "source "

func isSource(f *fault.Error) bool { return strings.HasPrefix(f.Where, sourceWord) }

// complete lists the customers when every source answered.
func (s *sources) complete(ctx context.Context) (answers, error) {
	got, failed := s.ask(ctx)
	if err := context.Cause(ctx); err != nil {
		return answers{}, err
	}
	if len(failed) > 0 {
		return answers{}, failed[0]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = s.remembered(got)
	return got, nil
}

// tolerant lists the customers with what a failed source said last, when the configuration allows it and the source
// has said something since the program began. Nothing vanishes because a source fails, or because an entry of it
// cannot be read.
func (s *sources) tolerant(ctx context.Context) (answers, error) {
	got, failed := s.ask(ctx)
	if err := context.Cause(ctx); err != nil {
		return answers{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.remembered(got)
	if len(failed) > 0 && (s.cfg.Incomplete != incompleteKeep || len(failed) == len(s.cfg.Sources) || s.unheard(&all)) {
		return answers{}, failed[0]
	}
	s.last = all
	return all, nil
}

// unheard reports whether a source has never said anything.
func (s *sources) unheard(a *answers) bool {
	return s.cfg.has(sourcePartnerCenter) && a.center == nil || s.cfg.has(sourceGDAP) && a.relations == nil ||
		s.cfg.has(sourceContracts) && a.contracts == nil
}

// remembered adds to what the sources say what they said last: all of it where a source failed, and what is missing
// where it has entries that cannot be read, for nobody knows whose they are. The caller holds the lock.
func (s *sources) remembered(got answers) answers {
	bad := func(source string) bool { return len(got.invalid[source]) > 0 }
	got.center = withLast(got.center, s.last.center, bad(sourcePartnerCenter), func(c *partnerCustomer) string { return c.ID })
	got.relations = withLast(got.relations, s.last.relations, bad(sourceGDAP), func(r *relationship) string { return r.ID })
	got.contracts = withLast(got.contracts, s.last.contracts, bad(sourceContracts), func(c *contract) string { return c.Customer })
	return got
}

func withLast[T any](list, last []T, unreadable bool, key func(T) string) []T {
	if list == nil {
		return last
	}
	if !unreadable {
		return list
	}
	listed := make(map[string]bool, len(list))
	for _, v := range list {
		listed[key(v)] = true
	}
	for _, v := range last {
		if !listed[key(v)] {
			list = append(list, v)
		}
	}
	return list
}
