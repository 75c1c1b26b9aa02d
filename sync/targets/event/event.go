// Package event writes actions in the form in which they leave: CloudEvents 1.0 in JSON
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md). The document
// docs/events.md explains it to those who receive them.
package event

import (
	"time"

	"dirsyncd/sync/directory"
)

// ContentType and BatchContentType are the media types of one event and of a JSON array of events.
const (
	ContentType      = "application/cloudevents+json"
	BatchContentType = "application/cloudevents-batch+json"
)

// idPrefix is how every event begins, up to its id.
const idPrefix = `{"specversion":"1.0","id":"`

// Append appends an action as one CloudEvent, with extra attributes (Attributes.Extra), and returns the extended buffer. It is one line without a line
// break at the end; members always come in the same order, fields and sets sorted as in the action. The same
// action gives the same bytes.
func Append(buf []byte, a *directory.Action, extra []byte) []byte {
	buf = append(buf, idPrefix...)
	buf = appendEscaped(buf, a.Key)
	buf = append(buf, `","source":"dirsyncd/`...)
	buf = appendEscaped(buf, a.Origin.Connection)
	buf = append(buf, `","type":"`...)
	buf = append(buf, Type(a.Kind, a.Op)...)
	buf = append(buf, `","subject":"`...)
	buf = append(buf, a.Kind.String()...)
	buf = append(buf, '/')
	buf = appendEscaped(buf, a.Record)
	if !a.Time.IsZero() {
		buf = append(buf, `","time":"`...)
		buf = a.Time.UTC().AppendFormat(buf, time.RFC3339)
	}
	buf = append(buf, '"')
	buf = append(buf, extra...)
	buf = append(buf, `,"datacontenttype":"application/json","data":`...)
	buf = appendData(buf, a)
	return append(buf, '}')
}

// Type returns the event type of an operation on a kind of record: "dirsyncd.user.updated".
func Type(kind directory.RecordKind, op directory.Op) string {
	return "dirsyncd." + kind.String() + "." + pastTense(op)
}

func pastTense(op directory.Op) string {
	switch op {
	case directory.Create:
		return "created"
	case directory.Update:
		return "updated"
	case directory.Deactivate:
		return "deactivated"
	case directory.Reactivate:
		return "reactivated"
	case directory.Delete:
		return "deleted"
	default:
		return "unknown"
	}
}

func appendData(buf []byte, a *directory.Action) []byte {
	buf = append(buf, `{"op":"`...)
	buf = append(buf, a.Op.String()...)
	buf = append(buf, `","kind":"`...)
	buf = append(buf, a.Kind.String()...)
	buf = append(buf, `","key":"`...)
	buf = appendEscaped(buf, a.Record)
	buf = append(buf, `","record":{`...)
	for i := range a.Fields {
		buf = appendComma(buf, i)
		buf = appendString(buf, a.Fields[i].Name)
		buf = append(buf, ':')
		buf = appendValue(buf, a.Fields[i].Value)
	}
	buf = append(buf, '}')
	if len(a.Changes) > 0 || len(a.Sets) > 0 {
		buf = appendChanges(buf, a)
	}
	buf = append(buf, `,"origin":{"connection":`...)
	buf = appendString(buf, a.Origin.Connection)
	buf = append(buf, `,"connector":`...)
	buf = appendString(buf, a.Origin.Connector)
	buf = append(buf, `,"tenant":`...)
	buf = appendString(buf, a.Origin.Tenant)
	buf = append(buf, `,"id":`...)
	buf = appendString(buf, a.Origin.ID)
	if a.Origin.Import != "" {
		buf = append(buf, `,"import":`...)
		buf = appendString(buf, string(a.Origin.Import))
	}
	buf = append(buf, `},"rule":`...)
	buf = appendString(buf, a.Rule)
	buf = append(buf, `,"run":`...)
	buf = appendString(buf, a.Run)
	buf = appendWhy(buf, a)
	return append(buf, '}')
}

// appendWhy appends the members that only some actions have.
func appendWhy(buf []byte, a *directory.Action) []byte {
	if a.Initial {
		buf = append(buf, `,"initial":true`...)
	}
	if a.Reason != "" {
		buf = append(buf, `,"reason":`...)
		buf = appendString(buf, a.Reason)
	}
	if a.Other != "" {
		if a.Op.Removes() {
			buf = append(buf, `,"replaced_by":`...)
		} else {
			buf = append(buf, `,"replaces":`...)
		}
		buf = appendString(buf, a.Other)
	}
	return buf
}

func appendChanges(buf []byte, a *directory.Action) []byte {
	buf = append(buf, `,"changes":{`...)
	n := 0
	for i := range a.Changes {
		c := &a.Changes[i]
		if hasSet(a.Sets, c.Name) {
			continue // JSON objects have no member twice; the set says more
		}
		buf = appendComma(buf, n)
		buf = appendString(buf, c.Name)
		buf = append(buf, `:{"from":`...)
		buf = appendValue(buf, c.From)
		buf = append(buf, `,"to":`...)
		buf = appendValue(buf, c.To)
		buf = append(buf, '}')
		n++
	}
	for i := range a.Sets {
		s := &a.Sets[i]
		buf = appendComma(buf, n)
		buf = appendString(buf, s.Name)
		buf = append(buf, `:{"added":`...)
		buf = appendStrings(buf, s.Added)
		buf = append(buf, `,"removed":`...)
		buf = appendStrings(buf, s.Removed)
		buf = append(buf, '}')
		n++
	}
	return append(buf, '}')
}

func hasSet(sets []directory.SetChange, name string) bool {
	for i := range sets {
		if sets[i].Name == name {
			return true
		}
	}
	return false
}

// ID returns the id of an event that Append wrote, given the event or its beginning, and false when the
// bytes are something else or end before the id does.
func ID(event []byte) (string, bool) {
	if len(event) < len(idPrefix) || string(event[:len(idPrefix)]) != idPrefix {
		return "", false
	}
	rest := event[len(idPrefix):]
	for i, c := range rest {
		switch c {
		case '"':
			return string(rest[:i]), true
		case '\\':
			return "", false // keys are plain: this is not one of ours
		}
	}
	return "", false
}

// Torn reports whether the bytes can be the beginning of an event that was cut off while it was written.
func Torn(line []byte) bool {
	n := min(len(line), len(idPrefix))
	return string(line[:n]) == idPrefix[:n]
}
