package dn

import (
	"unicode"
	"unicode/utf8"
)

// fold maps all letters that differ only in case to one of them, in the sense of strings.EqualFold: to the small
// letter of the first of them, where that is one of them.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	small := unicode.ToLower(least)
	for next := unicode.SimpleFold(least); next != least; next = unicode.SimpleFold(next) {
		if next == small {
			return small
		}
	}
	return least
}

// AppendFolded appends a text in which letters that differ only in case are the same.
func AppendFolded(buf []byte, s string) []byte {
	for _, r := range s {
		buf = utf8.AppendRune(buf, fold(r))
	}
	return buf
}
