package service

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"strings"

	"dirsyncd/sync/config"
	"dirsyncd/sync/desk"
	"dirsyncd/sync/directory"
	"dirsyncd/sync/settings"
	"dirsyncd/sync/targets"
)

// deskOptions turns what the operator wrote of a target that has things of its own into what a desk may do there.
func deskOptions(t config.Target, about targets.DeskDescription, d deps) desk.Options {
	want := t.Desk
	if want == nil {
		want = &config.Desk{}
	}
	o := desk.Options{
		Kinds: t.Kinds, Match: matches(want, about), Blanks: want.Blanks, Place: about.Place,
		Freely: want.First == "go", ByKeys: want.Look == "keys", CreatedOnly: want.Own == "created", ExactMembers: want.Members == "exact",
		ReactivateAlways: want.Reactivate == "always", Settle: want.Settle.Std(), Protect: protect(want.Protect),
		References: map[string]desk.Reference{}, Leavers: map[directory.RecordKind]desk.Leaver{},
		Interim: want.Interim, Shared: d.shared, Now: d.now, Log: d.log,
	}
	o.Matching = matching(want, about)
	o.After = map[string]desk.After{"adopt": desk.AfterAdopt}[want.After]
	o.Adopt = map[string]desk.Adopt{"link": desk.AdoptLink, "overwrite": desk.AdoptOverwrite}[want.Adopt]
	o.Missing = map[string]desk.Missing{"recreate": desk.MissingRecreate, "leave": desk.MissingLeave}[want.Missing]
	for field, r := range want.References {
		o.References[field] = desk.Reference{Alias: r.Alias, Default: r.Default, Create: r.Create}
	}
	ends := map[string]desk.End{"deactivate": desk.EndDeactivate, "delete": desk.EndDelete, "review": desk.EndReview, "keep": desk.EndKeep}
	for kind, l := range want.Leavers {
		o.Leavers[kind] = desk.Leaver{Do: ends[l.Do], Tickets: l.OpenTickets == "go"}
	}
	if want.Guard != nil {
		o.Guard = desk.DefaultGuard()
		for what, limit := range want.Guard {
			o.Guard[desk.Class(what)] = desk.Limit{Count: limit.Count, Percent: limit.Percent}
		}
	}
	return o
}

// keysOf are the keys by which things of a kind are recognised: what the operator wrote, or what is usual at the place.
func keysOf(want *config.Desk, k targets.DeskKind) []config.MatchKey {
	if keys, written := want.Match[k.Kind]; written {
		return keys
	}
	var keys []config.MatchKey
	for _, key := range k.Keys {
		if len(key.Usual) > 0 {
			keys = append(keys, config.MatchKey{Key: key.Name, Of: key.Usual})
		}
	}
	return keys
}

func matches(want *config.Desk, about targets.DeskDescription) map[directory.RecordKind][]desk.Match {
	all := map[directory.RecordKind][]desk.Match{}
	for _, k := range about.Kinds {
		for _, key := range keysOf(want, k) {
			all[k.Kind] = append(all[k.Kind], desk.Match{Key: key.Key, Value: valueOf(key.Of), Within: key.Within, Proposes: key.Ask})
		}
	}
	return all
}

// matching tells one way to recognise things from another.
func matching(want *config.Desk, about targets.DeskDescription) string {
	all := map[string][]config.MatchKey{}
	for _, k := range about.Kinds {
		all[k.Kind.String()] = keysOf(want, k)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "" // texts and flags always can be
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// valueOf returns the first of some fields that has a value; see config.MatchKey.
func valueOf(words []string) func(*directory.Action) string {
	return func(a *directory.Action) string {
		for _, word := range words {
			if text := strings.TrimSpace(valueIn(a, word)); text != "" {
				return text
			}
		}
		return ""
	}
}

func valueIn(a *directory.Action, word string) string {
	switch connector, anchor := config.Anchor(word); {
	case anchor && connector == a.Origin.Connector, word == config.MatchID:
		return a.Origin.ID
	case anchor:
		return ""
	case word == config.MatchKeyWord:
		return a.Record
	}
	for _, f := range a.Fields {
		if f.Name == word {
			return f.Value.String()
		}
	}
	return ""
}

// protect says which things the operator wants left alone: those of which a field, or a key, is like a pattern.
func protect(patterns map[string]settings.Names) func(*targets.Entity) string {
	if len(patterns) == 0 {
		return nil
	}
	return func(e *targets.Entity) string {
		for field, list := range patterns {
			value := strings.ToLower(cmp.Or(e.Fields[field], e.Keys[field]))
			for _, pattern := range list {
				if like, err := path.Match(strings.ToLower(pattern), value); err == nil && like && value != "" {
					return "protect: " + field + " is like " + pattern
				}
			}
		}
		return ""
	}
}
