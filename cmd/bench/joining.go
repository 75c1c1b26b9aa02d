package main

import (
	"context"
	"sync/atomic"

	"dirsyncd/connectors"
	"dirsyncd/connectors/connectortest/memory"
	"dirsyncd/sync/directory"
)

// joiningPage is how many members a page of a delta has, about as many as a cloud service sends at once.
const joiningPage = 1000

// joining is a synthetic source in which many people join one group from one read to the next.
type joining struct {
	*memory.Synthetic
	cfg     *memory.SyntheticConfig
	joiners int
	join    atomic.Bool // at the next delta of groups
}

// joiningGroup is the number of the group, and joiningName its name.
const (
	joiningGroup = 7
	joiningName  = "Group 7"
)

// Read implements connectors.Connector.
func (j *joining) Read(ctx context.Context, req connectors.Request, emit func(*connectors.Page) error) error {
	if req.Stream == "groups" && req.Mode == connectors.Delta && j.join.Swap(false) {
		group := j.cfg.GroupID(joiningGroup)
		for first := 0; first < j.joiners; first += joiningPage {
			m := connectors.Members{Group: group}
			for i := first; i < min(first+joiningPage, j.joiners); i++ {
				m.Add = append(m.Add, directory.IDHandle(j.cfg.PersonID(i)))
			}
			if err := emit(&connectors.Page{Members: []connectors.Members{m}}); err != nil {
				return err
			}
		}
	}
	return j.Synthetic.Read(ctx, req, emit)
}
