package kit

// Strikes counts a request that a fault fits, and reports whether the fault strikes it: after skip others, and times times then; with times 0 always.
// struck is the fault's count, which the caller guards.
func Strikes(struck *int, skip, times int) bool {
	if times > 0 && *struck >= skip+times {
		return false
	}
	*struck++
	return *struck > skip
}
