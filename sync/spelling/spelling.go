// Package spelling finds the word that was probably meant by one that is not known. Its functions are pure; the
// first of several words that are equally near is the one.
package spelling

import (
	"slices"
	"strings"
)

// maxWord bounds the work for a word that somebody wrote; nobody misspells a longer one.
const maxWord = 64

// Suggest returns a hint for a word that is none of known: DidYouMean, or else all that are known.
func Suggest(word string, known []string) string {
	otherwise := ""
	if list := known; len(list) > 0 {
		if len(list) > 24 {
			list = append(slices.Clone(list[:24]), "…")
		}
		otherwise = "known: " + strings.Join(list, ", ")
	}
	return DidYouMean(word, known, otherwise)
}

// DidYouMean returns a hint for a word that is none of known: the Nearest, or else one that begins with the word
// or is how it begins; otherwise when there is none.
func DidYouMean(word string, known []string, otherwise string) string {
	near := Nearest(word, known)
	if near == "" && len(word) <= maxWord {
		i := slices.IndexFunc(known, func(k string) bool {
			return min(len(k), len(word)) >= 3 && (strings.HasPrefix(word, k) || strings.HasPrefix(k, word))
		})
		if i >= 0 {
			near = known[i]
		}
	}
	if near == "" {
		return otherwise
	}
	return `did you mean "` + near + `"?`
}

// Nearest returns the known word at the smallest edit distance, if that is small for the word's length; else "".
func Nearest(word string, known []string) string {
	if len(word) > maxWord {
		return ""
	}
	plain := Plain(word)
	best, bestDistance := "", max(1, min(len(plain)/3, 3))+1
	for _, k := range known {
		if d := distance(plain, Plain(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// Plain returns a word in small letters, without dashes, underscores and spaces: givenName, given_name and
// given-name are the same word.
func Plain(word string) string {
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
