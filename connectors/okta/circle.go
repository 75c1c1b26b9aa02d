package okta

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
)

const (
	// mostEmpty is how many pages with nothing on them may follow each other in a listing that goes on.
	mostEmpty = 50
	// mostAgain is how often what was listed may come again before a listing goes round in a circle: three times all of a
	// page, and some more for what moves while the list is read.
	mostAgain = 10
)

// circle notices a listing that does not end, whatever its links look like: pages that come empty, or again. It holds
// what was on one page, and holds what was on a later one when the listing has become twice as long without bringing any
// of it again. So a circle is noticed after some four times its length, and the cost is that of a page.
type circle struct {
	seed   maphash.Seed
	page   int // that was taken last
	empty  int // pages in a row
	held   map[uint64]struct{}
	again  int // entries of the page that is held that came again
	holdAt int // the page to hold next
}

func newCircle() *circle { return &circle{seed: maphash.MakeSeed(), holdAt: 1} }

// take looks at a page that another one follows, and says what is wrong, if anything.
func (c *circle) take(entries []json.RawMessage) (problem string) {
	c.page++
	if len(entries) == 0 {
		if c.empty++; c.empty > mostEmpty {
			return fmt.Sprintf("the list does not end: %d empty pages in a row, and more follow", c.empty)
		}
		return ""
	}
	c.empty = 0
	marks := make(map[uint64]struct{}, len(entries))
	for _, raw := range entries {
		mark := maphash.Bytes(c.seed, raw)
		if _, twice := marks[mark]; twice {
			continue
		}
		marks[mark] = struct{}{}
		if _, known := c.held[mark]; known {
			c.again++
		}
	}
	switch {
	case c.again > 3*len(c.held)+mostAgain:
		return fmt.Sprintf("the list does not end: after %d pages the same entries come again and again, and more follow", c.page)
	case c.page >= c.holdAt && c.again == 0:
		c.held, c.holdAt = marks, 2*c.page
	}
	return ""
}
