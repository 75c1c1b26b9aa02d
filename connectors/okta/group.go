package okta

import (
	"encoding/json"
	"errors"
	"time"

	"dirsyncd/connectors"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/fault"
)

// groupEntry is what is read of a group.
type groupEntry struct {
	ID                    string  `json:"id"`
	Type                  string  `json:"type"`
	LastMembershipUpdated *string `json:"lastMembershipUpdated"`
	Profile               *struct {
		Name        string  `json:"name"`
		Description *string `json:"description"`
	} `json:"profile"`
}

func (g *groupEntry) isEveryone() bool {
	return g.Type == typeBuiltIn && g.Profile != nil && g.Profile.Name == nameEveryone
}

// groupSeen is a group of a list, and what its members' list is known by.
type groupSeen struct {
	id, name string
	// path is where its members are listed; empty when they are not to be read.
	path string
	// changed is when its members changed last, in milliseconds; 0 when the org does not say.
	changed int64
}

// group translates one entry of a list of groups.
func group(raw json.RawMessage, where string) (directory.Object, groupSeen, *connectors.Invalid) {
	var e groupEntry
	err := json.Unmarshal(raw, &e)
	switch {
	case e.ID == "":
		err = errors.New("it has no id")
	case err != nil:
		err = errors.New("a value is not of the documented type")
	case e.Profile == nil || e.Profile.Name == "":
		err = errors.New("it has no name")
	}
	var changed time.Time
	if err == nil {
		changed, err = timeOf(e.LastMembershipUpdated)
	}
	if err != nil {
		return directory.Object{}, groupSeen{}, unreadableGroup(e.ID, where, err)
	}
	o := directory.Object{Kind: directory.Group, ID: e.ID}
	o.SetText(directory.FieldName, e.Profile.Name)
	o.SetText(directory.FieldGroupType, e.Type)
	if e.Profile.Description != nil {
		o.SetText(directory.FieldDescription, *e.Profile.Description)
	}
	seen := groupSeen{id: e.ID, name: e.Profile.Name}
	if !changed.IsZero() {
		seen.changed = changed.UnixMilli()
	}
	if e.isEveryone() {
		o.Handles = []string{everyoneHandle}
	} else {
		seen.path = apiRoot + "groups/" + pathID(e.ID) + "/users"
	}
	return o, seen, nil
}

func unreadableGroup(id, where string, err error) *connectors.Invalid {
	return &connectors.Invalid{
		Kind: directory.Group, ID: id, Where: where,
		Err: &fault.Error{Class: fault.Invalid, Op: "translate a group", Where: id, Err: err, Hint: "look at this group in the org; others are not concerned"},
	}
}

// appEntry is what is read of an application.
type appEntry struct {
	ID     string `json:"id"`
	Label  string `json:"label"`
	Status string `json:"status"`
}

const (
	// appPrefix begins the names of applications among groups: an application and the group that it is given to
	// often have the same name, and a rule must not take one for the other.
	appPrefix = "app:"
	// typeApplication is the group_type of applications.
	typeApplication = "APPLICATION"
	statusActive    = "ACTIVE"
)

// application translates one entry of a list of applications.
func application(raw json.RawMessage, where string) (directory.Object, groupSeen, *connectors.Invalid) {
	var e appEntry
	err := json.Unmarshal(raw, &e)
	switch {
	case e.ID == "":
		err = errors.New("it has no id")
	case err != nil:
		err = errors.New("a value is not of the documented type")
	case e.Label == "":
		err = errors.New("it has no label")
	}
	if err != nil {
		return directory.Object{}, groupSeen{}, unreadableGroup(e.ID, where, err)
	}
	o := directory.Object{Kind: directory.Group, ID: e.ID}
	o.SetText(directory.FieldName, appPrefix+e.Label)
	o.SetText(directory.FieldGroupType, typeApplication)
	return o, groupSeen{id: e.ID, path: apiRoot + "apps/" + pathID(e.ID) + "/users"}, nil
}
