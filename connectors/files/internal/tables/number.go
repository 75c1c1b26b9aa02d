package tables

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// wholeOr15 writes a number without an exponent: a whole one of at most 20 digits with all its digits, any other one with
// the 15 that spreadsheets show, so that 0.1+0.2 is 0.3. What is no number stays as it is.
func wholeOr15(text string) string {
	if len(text) > 400 || len(text) < 16 && digits(text) {
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return text
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e20 {
		if exact, ok := new(big.Rat).SetString(text); ok && exact.IsInt() {
			return exact.Num().String()
		}
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	short := strconv.FormatFloat(f, 'g', 15, 64)
	if f, err = strconv.ParseFloat(short, 64); err != nil {
		return text
	}
	if math.Abs(f) >= 1e20 || f != 0 && math.Abs(f) < 1e-9 {
		return short
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', -1, 64), ".")
}

// digits reports whether a text is a whole number as it is.
func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != "" && (text[0] != '0' || text == "0")
}
