package service

import (
	"context"
	"fmt"
	"slices"

	"dirsyncd/sync/engine"
	"dirsyncd/sync/fleet"
)

// A connection with many tenants is run by several workers, each of which runs a share of them. The unit that the schedule fires is the
// connection: whoever takes it lists the tenants and, where others can help, has the shares wanted instead of running them.

// argRound is what a share's unit is told besides its name, which is shareFormat: the round.
const (
	argRound    = "round"
	shareFormat = "%d of %d"
)

// part is what of a connection is run.
type part struct {
	// workers says how many may run it, this one included; nil: only this one, and the connection is not divided.
	workers func(context.Context) int
	// share of a round is run; the zero value: all.
	share engine.Share
	round string
	// aside is told once when the run gives way to others; nil: nobody needs to know.
	aside func()
	// takes ends when the run must not begin any more; nil: it always may.
	takes context.Context
}

// partOf is what a unit is of its connection.
func (g *together) partOf(h fleet.Held) (p part, err error) {
	p.aside, p.takes = h.Aside, h.Takes
	if h.Unit.Kind == fleet.List {
		p.workers = func(ctx context.Context) int { return g.helpers(ctx, h.Unit.Connection) }
		return p, nil
	}
	p.round = h.Request.Args[argRound]
	if _, err = fmt.Sscanf(h.Unit.Tenant, shareFormat, &p.share.Number, &p.share.Of); err != nil || p.round == "" || p.share.Number < 1 || p.share.Number > p.share.Of {
		err = fmt.Errorf("there is no share %q in round %q", h.Unit.Tenant, p.round)
	}
	return p, err
}

// helpers is how many workers may run tenants of a connection at present, this one included; 1 when that cannot be known.
func (g *together) helpers(ctx context.Context, connection string) (n int) {
	var places []string
	if c := g.current().connections[connection]; c != nil {
		places = c.settings.Workers
	}
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	list, err := g.fleet.Workers(ctx)
	for _, w := range list {
		if workerState(w) == working && (len(places) == 0 || slices.Contains(places, w.Worker.Name)) {
			n++
		}
	}
	if err != nil {
		return 1
	}
	return n
}

// sharesOf has the shares of a round wanted.
func sharesOf(r engine.Round) fleet.Finish {
	f := fleet.Finish{Args: map[string]string{argRound: r.Name}}
	for i := range r.Shares {
		f.Tenants = append(f.Tenants, fmt.Sprintf(shareFormat, i+1, r.Shares))
	}
	return f
}
