package term

import (
	"fmt"
	"strconv"
	"strings"
)

// Schedule says in words when a schedule runs. What it has no words for stands as the operator wrote it.
func Schedule(spec string) string {
	spec = strings.TrimSpace(spec)
	if interval, ok := strings.CutPrefix(spec, "@every"); ok {
		return "every " + strings.TrimSpace(interval)
	}
	switch spec {
	case "":
		return "only on demand"
	case "@hourly":
		return "every hour"
	case "@daily", "@midnight":
		return "every day at 00:00"
	case "@weekly":
		return "Sundays at 00:00"
	case "@monthly":
		return "on day 1 of every month at 00:00"
	case "@yearly", "@annually":
		return "on 1 January at 00:00"
	}
	fields := strings.Fields(spec)
	if strings.HasPrefix(spec, "TZ=") || strings.HasPrefix(spec, "CRON_TZ=") {
		fields = fields[1:]
	}
	if len(fields) == 5 {
		if text := fieldWords(fields[0], fields[1], fields[2], fields[3], fields[4]); text != "" {
			return text
		}
	}
	return "cron " + spec
}

// fieldWords returns "" where it has no words.
func fieldWords(minute, hour, day, month, weekday string) string {
	if month != "*" {
		return ""
	}
	days := dayWords(day, weekday)
	times := timeWords(minute, hour)
	switch {
	case days == "" || times == "":
		return ""
	case days == "every day" && !strings.HasPrefix(times, "at "):
		return times
	case strings.HasPrefix(times, "at "):
		return days + " " + times
	default:
		return times + ", " + days
	}
}

func dayWords(day, weekday string) string {
	number, err := strconv.Atoi(day)
	switch {
	case day == "*" && weekday == "*":
		return "every day"
	case day == "*":
		return weekdayWords(strings.ToLower(weekday))
	case err == nil && weekday == "*":
		return fmt.Sprintf("on day %d of every month", number)
	default:
		return ""
	}
}

func weekdayWords(field string) string {
	if from, to, ok := strings.Cut(field, "-"); ok {
		if weekdayName(from) == "" || weekdayName(to) == "" {
			return ""
		}
		return weekdayName(from) + " to " + weekdayName(to)
	}
	var names []string
	for word := range strings.SplitSeq(field, ",") {
		name := weekdayName(word)
		if name == "" {
			return ""
		}
		names = append(names, name+"s")
	}
	return strings.Join(names, ", ")
}

func weekdayName(word string) string {
	names := []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	for i, name := range names {
		if word == strconv.Itoa(i) || word == strings.ToLower(name[:3]) {
			return name
		}
	}
	return ""
}

func timeWords(minute, hour string) string {
	step, stepped := strings.CutPrefix(minute, "*/")
	m, err := strconv.Atoi(minute)
	h, hourErr := strconv.Atoi(hour)
	from, to, ranged := strings.Cut(hour, "-")
	_, fromErr := strconv.Atoi(from)
	_, toErr := strconv.Atoi(to)
	during := fmt.Sprintf(" from %02s:00 to %02s:59", from, to)
	switch {
	case minute == "*" && hour == "*":
		return "every minute"
	case stepped && hour == "*" && evenly(step, 60):
		return "every " + step + " minutes"
	case stepped && ranged && fromErr == nil && toErr == nil && evenly(step, 60):
		return "every " + step + " minutes" + during
	case err == nil && hour == "*":
		return fmt.Sprintf("every hour at minute %d", m)
	case err == nil && ranged && fromErr == nil && toErr == nil:
		return fmt.Sprintf("every hour at minute %d%s", m, during)
	case err == nil && strings.HasPrefix(hour, "*/") && evenly(hour[2:], 24):
		return fmt.Sprintf("every %s hours at minute %d", hour[2:], m)
	case err == nil && hourErr == nil:
		return fmt.Sprintf("at %02d:%02d", h, m)
	default:
		return ""
	}
}

// evenly reports whether a step leaves the same gap everywhere: "*/45" does not run every 45 minutes.
func evenly(step string, of int) bool {
	n, err := strconv.Atoi(step)
	return err == nil && n > 1 && of%n == 0
}
