package strict

import (
	"slices"
	"strings"
)

// Suggest returns a hint for a word that is none of known: the one that was probably meant, or else all.
func Suggest(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return `did you mean "` + near + `"?`
	}
	if len(known) == 0 {
		return ""
	}
	list := slices.Clone(known)
	if len(list) > 24 {
		list = append(list[:24], "…")
	}
	return "known: " + strings.Join(list, ", ")
}

// nearest returns the known word at the smallest edit distance, if that is small for the word's length. Words
// that differ in case, dashes and underscores only are the same word.
func nearest(word string, known []string) string {
	if len(word) > 64 {
		return ""
	}
	best, bestDistance := "", max(1, min(len(word)/3, 3))+1
	for _, k := range known {
		if min(len(k), len(word)) >= 3 && (strings.HasPrefix(word, k) || strings.HasPrefix(k, word)) {
			return k
		}
		if d := distance(plain(word), plain(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

func plain(word string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' {
			return -1
		}
		return r
	}, word))
}

// distance counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	before, last, row := make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := range s {
		row[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}

// cut shortens and cleans a word of the document for a message.
func cut(word string) string {
	runes := []rune(word)
	if len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return word
}
