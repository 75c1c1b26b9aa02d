package tables

import (
	"strings"
)

// sampleRows is how many rows are looked at to find the separator.
const sampleRows = 50

// findSeparator says what stands between cells: what makes most of the wanted names of the header; else what makes the most
// rows of the same number of cells.
func findSeparator(sample []byte, f form, wanted []string) byte {
	var best byte = ','
	var most score
	for _, separator := range []byte{',', ';', '\t', '|'} {
		f.separator = separator
		if s := scoreOf(sample, f, wanted); most.less(s) {
			best, most = separator, s
		}
	}
	return best
}

// score says how well a separator fits.
type score struct{ names, alike, cells int }

func (s score) less(o score) bool {
	switch {
	case s.names != o.names:
		return s.names < o.names
	case s.alike != o.alike:
		return s.alike < o.alike
	default:
		return s.cells < o.cells
	}
}

func scoreOf(b []byte, f form, wanted []string) (s score) {
	var p parsed
	limits := DefaultLimits()
	rows, counts := 0, map[int]int{}
	for len(b) > 0 && rows < sampleRows {
		used, why := p.parse(b, false, &f, &limits)
		if why != "" {
			if used, why = p.parse(b, true, &f, &limits); why != "" || rows > 0 {
				break
			}
		}
		b = b[used:]
		if p.blank(false) {
			continue
		}
		rows++
		from := 0
		for _, to := range p.ends {
			name := strings.TrimSpace(string(p.text[from:to]))
			from = to
			for _, w := range wanted {
				if rows <= 5 && strings.EqualFold(w, name) && len(p.ends) > 1 {
					s.names++
				}
			}
		}
		counts[len(p.ends)]++
	}
	for cells, n := range counts {
		if cells > 1 && (n > s.alike || n == s.alike && cells > s.cells) {
			s.alike, s.cells = n, cells
		}
	}
	if s.alike*2 < rows {
		s.alike, s.cells = 0, 0 // chance
	}
	return s
}
