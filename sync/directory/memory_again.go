//go:build !race

package directory

// takenAgain: memory that a Slab takes back is used again.
const takenAgain = true
