package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// SpecError says what is wrong with a schedule.
type SpecError struct {
	Message string
	Hint    string // what to write instead; may be empty
}

// Error returns the message without the hint.
func (e *SpecError) Error() string { return e.Message }

const formHint = `write five fields (minute hour day month weekday) such as "*/15 * * * *", ` +
	`or "@every 5m", "@hourly", "@daily"`

// Parse reads a schedule: five cron fields, "@every 5m", or one of @hourly, @daily (@midnight), @weekly,
// @monthly and @yearly (@annually). Cron fields follow the clock of timezone, an IANA name; an empty one is UTC.
// "CRON_TZ=Europe/London " in front of the fields wins over timezone. Every error is a *SpecError.
//
// What happens when clocks are put forward or back is described at Times.
func Parse(spec, timezone string) (cron.Schedule, error) {
	spec = strings.TrimSpace(spec)
	zone, rest := cutZone(spec)
	if zone != "" {
		spec, timezone = rest, zone
	}
	loc, err := Location(timezone)
	if err != nil {
		return nil, err
	}
	if spec == "" {
		return nil, &SpecError{"the schedule is empty", formHint}
	}
	if interval, ok := strings.CutPrefix(spec, "@every"); ok {
		return parseEvery(strings.TrimSpace(interval))
	}
	if !strings.HasPrefix(spec, "@") {
		if err := checkFields(strings.Fields(spec)); err != nil {
			return nil, err
		}
	}
	parsed, err := cron.ParseStandard(spec)
	if err != nil {
		return nil, &SpecError{fmt.Sprintf("%q is not a schedule", cut(spec)), formHint}
	}
	fields, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, &SpecError{fmt.Sprintf("%q is not a schedule", cut(spec)), formHint}
	}
	fields.Location = time.UTC
	times := &Times{spec: spec, fields: fields, loc: loc, everyHour: fields.Hour&starBit != 0}
	if fields.Next(time.Unix(0, 0).UTC()).IsZero() {
		return nil, &SpecError{fmt.Sprintf("%q names a day that never comes", spec), ""}
	}
	return times, nil
}

// Location returns the time zone of an IANA name; an empty name is UTC. The error is a *SpecError.
func Location(timezone string) (*time.Location, error) {
	loc, err := time.LoadLocation(timezone)
	if err != nil || timezone == "Local" {
		return nil, &SpecError{fmt.Sprintf("unknown time zone %q", cut(timezone)),
			"write a name such as Europe/London or UTC"}
	}
	return loc, nil
}

func cutZone(spec string) (zone, rest string) {
	for _, prefix := range []string{"CRON_TZ=", "TZ="} {
		if after, ok := strings.CutPrefix(spec, prefix); ok {
			zone, rest, _ = strings.Cut(after, " ")
			return zone, strings.TrimSpace(rest)
		}
	}
	return "", spec
}

func parseEvery(text string) (cron.Schedule, error) {
	interval, err := time.ParseDuration(text)
	if err != nil {
		return nil, &SpecError{fmt.Sprintf("@every %s: not a duration", cut(text)), "write @every 5m or @every 1h30m"}
	}
	if interval < time.Second {
		return nil, &SpecError{fmt.Sprintf("@every %s: shorter than a second", cut(text)),
			"write @every 5m or @every 1h30m"}
	}
	return cron.Every(interval), nil
}

type fieldParser struct {
	name   string
	option cron.ParseOption
	allows string
	values func(*cron.SpecSchedule) uint64 // the field's values, as bits
}

// fieldParsers lists the fields of a cron line in their order.
func fieldParsers() []fieldParser {
	return []fieldParser{
		{"minute", cron.Minute, "0 to 59", func(s *cron.SpecSchedule) uint64 { return s.Minute }},
		{"hour", cron.Hour, "0 to 23", func(s *cron.SpecSchedule) uint64 { return s.Hour }},
		{"day of the month", cron.Dom, "1 to 31", func(s *cron.SpecSchedule) uint64 { return s.Dom }},
		{"month", cron.Month, "1 to 12 or jan to dec", func(s *cron.SpecSchedule) uint64 { return s.Month }},
		{"day of the week", cron.Dow, "0 to 6 or sun to sat", func(s *cron.SpecSchedule) uint64 { return s.Dow }},
	}
}

// checkFields reads every field alone, because the error of the whole line does not say which one is wrong.
func checkFields(fields []string) error {
	parsers := fieldParsers()
	if len(fields) != len(parsers) {
		hint := formHint
		if len(fields) == len(parsers)+1 {
			hint = "there is no field for seconds"
		}
		return &SpecError{fmt.Sprintf("expected 5 fields, found %d", len(fields)), hint}
	}
	for i, p := range parsers {
		if err := checkField(p, fields[i]); err != nil {
			hint := "allowed are " + p.allows + ", lists 1,2, ranges 1-5 and steps */5"
			if long, ok := errors.AsType[*longStepError](err); ok {
				hint = fmt.Sprintf("write %d if that is what you mean, or a step that fits into the range; @every 90m or @every 36h "+
					"say what no field can", long.left)
			}
			return &SpecError{fmt.Sprintf("field %d (%s) %q: %v", i+1, p.name, cut(fields[i]), err), hint}
		}
	}
	return nil
}

func checkField(p fieldParser, field string) error {
	for item := range strings.SplitSeq(field, ",") {
		if item == "" {
			return errors.New("an item of the list is empty")
		}
		if strings.ContainsAny(item, "@=") {
			return errors.New("not a number, name, range or step")
		}
		parsed, err := cron.NewParser(p.option).Parse(item)
		if err != nil {
			return errors.New(plainError(err.Error()))
		}
		if err := checkStep(p, item, parsed); err != nil {
			return err
		}
	}
	return nil
}

// longStepError is a step that is never taken. The parser takes it for its range's first value, so that */90 would
// mean once an hour.
type longStepError struct{ left int }

func (e *longStepError) Error() string {
	return fmt.Sprintf("the step is longer than the range: only %d is left", e.left)
}

func checkStep(p fieldParser, item string, parsed cron.Schedule) error {
	_, step, found := strings.Cut(item, "/")
	fields, ok := parsed.(*cron.SpecSchedule)
	if !found || !ok || strings.TrimLeft(step, "0") == "1" {
		return nil
	}
	if values := p.values(fields) &^ starBit; bits.OnesCount64(values) == 1 {
		return &longStepError{bits.TrailingZeros64(values)}
	}
	return nil
}

// plainError replaces the parser's words where they speak of its inside.
func plainError(text string) string {
	if strings.HasPrefix(text, "failed to parse int") {
		return "not a number, name, range or step"
	}
	if i := strings.LastIndex(text, ": "); i > 0 {
		return text[:i]
	}
	return text
}

func cut(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}
