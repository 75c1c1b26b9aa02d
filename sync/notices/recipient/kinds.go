package recipient

// The kinds of notice, as words of a sentence: "connection hq-ad is held".
const (
	Held     = "held"     // a plan, or something at a target, waits for an operator
	Failing  = "failing"  // runs, deliveries or the daemon itself do not work
	Parked   = "parked"   // objects or actions were given up
	Review   = "review"   // somebody has to say who is who
	Unproven = "unproven" // what is stored has not been proven to agree with the source for too long
	Late     = "late"     // what waits for a target has waited for too long
	Empty    = "empty"    // a connection works and has nothing
	Seats    = "seats"    // the desk's own licences are used up, and somebody waits
	Expiring = "expiring" // a certificate or something like it runs out
)

// Kinds lists all kinds.
func Kinds() []string {
	return []string{Held, Failing, Parked, Review, Unproven, Late, Empty, Seats, Expiring}
}
