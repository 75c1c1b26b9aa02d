package engine

import "fmt"

// many writes "1 object" and "12 objects".
func many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
