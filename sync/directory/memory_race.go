//go:build race

package directory

// takenAgain: memory that a Slab takes back is used again. Here it stays cleared, for whoever still looks at it.
const takenAgain = false
