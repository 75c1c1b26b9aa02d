package ldap

import (
	"strconv"

	"dirsyncd/sync/directory"
)

// The words of the field status. LDAP has none of its own.
const (
	statusActive   = "active"
	statusDisabled = "disabled"
	statusLocked   = "locked"  // for a while, after wrong passwords: still an enabled account
	statusExpires  = "expires" // on a date, which may be over: whoever reads the entry later reads the same
)

func stateRules(state func(*row) (enabled bool, status string, ok bool)) []fieldRule {
	return []fieldRule{
		{directory.FieldEnabled, func(r *row) (directory.Value, bool) {
			enabled, _, ok := state(r)
			return directory.Bool(enabled), ok
		}},
		{directory.FieldStatus, func(r *row) (directory.Value, bool) {
			_, status, ok := state(r)
			return directory.Text(status), ok
		}},
	}
}

// activeDirectoryState reads userAccountControl (MS-ADTS 2.2.16). An entry without it is one that the bind user
// may not see whole: its state is not known, which is not the same as enabled. The words for locks and dates of
// expiry say that there is one, not whether it is over, or a state would depend on the time of the read: nothing
// in the directory changes when a lock ends or a date comes.
func activeDirectoryState(r *row) []fieldRule {
	const accountDisabled = 0x2
	slot, lockout, expires := r.slot("userAccountControl"), r.slot("lockoutTime"), r.slot("accountExpires")
	return stateRules(func(r *row) (bool, string, bool) {
		flags, err := strconv.ParseInt(r.first(slot), 10, 64)
		switch {
		case err != nil:
			return false, "", false
		case flags&accountDisabled != 0:
			return false, statusDisabled, true
		case dated(r.first(lockout)):
			return true, statusLocked, true
		case dated(r.first(expires)):
			return true, statusExpires, true
		default:
			return true, statusActive, true
		}
	})
}

// dated reports whether a FILETIME attribute holds a time.
func dated(filetime string) bool {
	_, ok := parseFiletime(filetime)
	return ok
}

// permanentlyLocked is the value of pwdAccountLockedTime of an account that only an administrator can unlock
// (draft-behera-ldap-password-policy section 5.3.3). Any other value is a lock after wrong passwords.
const permanentlyLocked = "000001010000Z"

// openLDAPState looks for every mark of a disabled account that servers without userAccountControl use: without
// one of them the account is enabled. shadowExpire counts only as 1, which is how administrators disable an
// account with it: a date would make the state depend on the day of the read.
func openLDAPState(r *row) []fieldRule {
	lockedTime, shadowExpire := r.slot("pwdAccountLockedTime"), r.slot("shadowExpire")
	// 389 Directory Server, eDirectory, OpenDJ.
	flags := r.slots([]string{"nsAccountLock", "loginDisabled", "ds-pwp-account-disabled"})
	return stateRules(func(r *row) (bool, string, bool) {
		for _, slot := range flags {
			if r.flag(slot) {
				return false, statusDisabled, true
			}
		}
		switch locked := r.first(lockedTime); {
		case locked == permanentlyLocked || r.first(shadowExpire) == "1":
			return false, statusDisabled, true
		case locked != "":
			return true, statusLocked, true
		default:
			return true, statusActive, true
		}
	})
}
