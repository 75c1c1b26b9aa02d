package config

import (
	"log/slog"
	"regexp"
	"slices"

	"dirsyncd/sync/settings/strict"
	"dirsyncd/sync/spelling"
)

// Level is the least severe level that is logged: debug, info, warn or error.
type Level string

// Slog returns the level as package slog has it.
func (l Level) Slog() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l)); err != nil {
		return slog.LevelInfo
	}
	return level
}

// DecodeStrict reads the level.
func (l *Level) DecodeStrict(v strict.Value) { choose(v, l, "debug", "info", "warn", "error") }

// Format is the form of log lines: auto (text on a terminal and in the journal, else JSON), text or json.
type Format string

// DecodeStrict reads the format.
func (f *Format) DecodeStrict(v strict.Value) { choose(v, f, "auto", "text", "json") }

// choose decodes one word of a list.
func choose[T ~string](v strict.Value, target *T, words ...T) {
	text, ok := v.Text()
	if !ok {
		return
	}
	if slices.Contains(words, T(text)) {
		*target = T(text)
		return
	}
	known := make([]string, len(words))
	for i, w := range words {
		known[i] = string(w)
	}
	v.Problem(spelling.Suggest(text, known), "%s: unknown word %q", v.Label(), short(text))
}

// namePattern keeps names fit for record keys, metric labels, log lines and file names.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// checkName reports a name of a connection, mapping or target that cannot be used.
func checkName(e strict.Entry, what string) bool {
	if namePattern.MatchString(e.Key) {
		return true
	}
	e.Value.KeyProblem("up to 64 of a-z, 0-9, \"-\", \"_\" and \".\", the first a letter or digit",
		"%q cannot be the name of a %s", short(e.Key), what)
	return false
}

// short cuts a text of the file for a message.
func short(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}
