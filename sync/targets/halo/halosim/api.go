// Package halosim is a Halo service desk for tests: its wire protocol, what public clients say of its habits, and faults on command. It
// knows the names that stand in api.json only; who sends another one is told (Sim.Strange).
package halosim

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

//go:embed api.json
var description []byte

// API is what is known of the vendor's API: facts, with where they are from.
type API struct {
	Sources   map[string]string   `json:"sources"`
	Resources map[string]Resource `json:"resources"`
	Elements  map[string]Element  `json:"elements"`
	Answers   []string            `json:"answers"`
	Never     []string            `json:"never"`
}

// Resource is one path, without the slash in front.
type Resource struct {
	Schema     string                       `json:"schema"`
	From       string                       `json:"from"`
	Envelope   string                       `json:"envelope"`
	List       []string                     `json:"list"` // parameters
	One        []string                     `json:"one"`  // of one thing
	Properties map[string]map[string]string `json:"properties"`
	Row        []string                     `json:"row"` // the properties that a list shows
}

// Element is one of a list that is a property.
type Element struct {
	Schema     string   `json:"schema"`
	From       string   `json:"from"`
	Properties []string `json:"properties"`
}

// Describe reads the description.
func Describe() (*API, error) {
	var a API
	if err := json.Unmarshal(description, &a); err != nil {
		return nil, fmt.Errorf("api.json: %w", err)
	}
	return &a, nil
}

// Types are the types of a resource's properties, by name.
func (r *Resource) Types() map[string]string {
	out := map[string]string{}
	for _, group := range r.Properties {
		maps.Copy(out, group)
	}
	return out
}

// Names are all names that can stand in a body or an answer, sorted.
func (a *API) Names() []string {
	names := slices.Clone(a.Answers)
	for _, r := range a.Resources {
		names = append(names, slices.Collect(maps.Keys(r.Types()))...)
		if r.Envelope != "" {
			names = append(names, r.Envelope)
		}
	}
	for _, e := range a.Elements {
		names = append(names, e.Properties...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
