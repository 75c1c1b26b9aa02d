package ldap

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"dirsyncd/sync/directory"
)

// The words of the field status. LDAP has none of its own.
const (
	statusActive   = "active"
	statusDisabled = "disabled"
	statusLocked   = "locked"  // for a while, after wrong passwords: still an enabled account
	statusExpires  = "expires" // on a date. In Active Directory it may be over: whoever reads the entry later reads the same
	statusExpired  = "expired" // on a date that is over
)

// calendar is the time of a read, and the next moment at which an account that was read begins or ends: then nothing in the
// directory changes, so that no incremental read would tell.
type calendar struct {
	now, next time.Time
	asked     bool // since somebody set it to false
}

// passed reports whether a date is over, and remembers it if it is not.
func (c *calendar) passed(date time.Time) bool {
	c.asked = true
	if !c.now.Before(date) {
		return true
	}
	if c.next.IsZero() || date.Before(c.next) {
		c.next = date
	}
	return false
}

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
	disabled := r.slot("msDS-UserAccountDisabled") // AD LDS has it in place of the flags
	return stateRules(func(r *row) (bool, string, bool) {
		flags, err := strconv.ParseInt(r.first(slot), 10, 64)
		if err != nil && r.first(disabled) != "" {
			flags, err = 0, nil
			if r.flag(disabled) {
				flags = accountDisabled
			}
		}
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

// activeDirectoryExpiry reads accountExpires (MS-ADTS 2.2.4 and 3.1.1.4): 0 and the greatest number are never. So is what lies
// beyond the years that dates are written in.
func activeDirectoryExpiry(r *row) fieldRule {
	slot := r.slot("accountExpires")
	return fieldRule{directory.FieldExpires, func(r *row) (directory.Value, bool) {
		date, ok := parseFiletime(r.first(slot))
		return directory.Time(date), ok && date.Year() <= 9999
	}}
}

// openLDAPExpiry is the first of the dates on which an account ends, by whoever writes them. One by which an administrator
// disables an account is none.
func openLDAPExpiry(r *row) fieldRule {
	type end struct {
		slot int
		mark mark
	}
	var list []end
	for _, m := range marks() {
		if m.ends != nil {
			list = append(list, end{r.slot(m.attribute), m})
		}
	}
	return fieldRule{directory.FieldExpires, func(r *row) (directory.Value, bool) {
		var first time.Time
		for _, e := range list {
			v := r.first(e.slot)
			if v == "" || e.mark.means != nil && e.mark.means(v) != statusActive {
				continue
			}
			if date, ok := e.mark.ends(v); ok && date.Year() <= 9999 && (first.IsZero() || date.Before(first)) {
				first = date
			}
		}
		return directory.Time(first), !first.IsZero()
	}}
}

// dated reports whether a FILETIME attribute holds a time.
func dated(filetime string) bool {
	_, ok := parseFiletime(filetime)
	return ok
}

// permanentlyLocked is the value of pwdAccountLockedTime of an account that only an administrator can unlock
// (draft-behera-ldap-password-policy section 5.3.3). Any other value is a lock after wrong passwords.
const permanentlyLocked = "000001010000Z"

// mark is an attribute that says something of the state of an account.
type mark struct {
	attribute string
	// means says what a value makes of the account; statusActive is nothing.
	means func(value string) string
	// begins and ends read the date on which an account begins or ends.
	begins, ends func(value string) (time.Time, bool)
}

// marks are those of servers without userAccountControl, by who writes them.
func marks() []mark {
	when := func(status string, words ...string) func(string) string {
		return func(v string) string {
			if slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, v) }) {
				return status
			}
			return statusActive
		}
	}
	return []mark{
		// slapo-ppolicy (draft-behera-ldap-password-policy section 5.3), and others that have it from there
		{attribute: "pwdAccountLockedTime", means: func(v string) string {
			if v == permanentlyLocked {
				return statusDisabled
			}
			return statusLocked
		}},
		{attribute: "pwdStartTime", begins: parseGeneralizedTime},
		{attribute: "pwdEndTime", ends: parseGeneralizedTime},
		// shadow accounts (RFC 2307); 1 is how administrators disable an account with it
		{attribute: "shadowExpire", means: when(statusDisabled, "1"), ends: since1970(24 * time.Hour)},
		// 389 Directory Server, FreeIPA, MIT Kerberos
		{attribute: "nsAccountLock", means: when(statusDisabled, "TRUE")},
		{attribute: "krbPrincipalExpiration", ends: parseGeneralizedTime},
		// eDirectory
		{attribute: "loginDisabled", means: when(statusDisabled, "TRUE")},
		{attribute: "lockedByIntruder", means: when(statusLocked, "TRUE")},
		{attribute: "loginExpirationTime", ends: parseGeneralizedTime},
		// OpenDJ, PingDirectory
		{attribute: "ds-pwp-account-disabled", means: when(statusDisabled, "TRUE")},
		{attribute: "ds-pwp-account-expiration-time", ends: parseGeneralizedTime},
		// Sun and Oracle Directory Server, Oracle Internet Directory
		{attribute: "inetUserStatus", means: when(statusDisabled, "inactive", "deleted")},
		{attribute: "orclIsEnabled", means: when(statusDisabled, "DISABLED")},
		// Samba with an OpenLDAP back end (smbldap-tools, LAM, Univention): letters in brackets, and a time
		{attribute: "sambaAcctFlags", means: func(v string) string {
			flags, _, _ := strings.Cut(strings.TrimPrefix(v, "["), "]")
			switch {
			case strings.Contains(flags, "D"):
				return statusDisabled
			case strings.Contains(flags, "L"):
				return statusLocked
			default:
				return statusActive
			}
		}},
		{attribute: "sambaKickoffTime", ends: since1970(time.Second)},
		// Zimbra, glauth
		{attribute: "zimbraAccountStatus", means: when(statusDisabled, "closed", "locked")},
		{attribute: "accountStatus", means: when(statusDisabled, "inactive", "disabled")},
	}
}

// since1970 reads a time as a number of units since then. 0, what is negative, and the greatest number of 32 bits and
// beyond are no dates: they are written for never.
func since1970(unit time.Duration) func(string) (time.Time, bool) {
	return func(v string) (time.Time, bool) {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n <= 0 || n >= 1<<31-1 {
			return time.Time{}, false
		}
		return time.Unix(n*int64(unit/time.Second), 0).UTC(), true
	}
}

// openLDAPState looks for every mark of an account that is disabled, locked, not yet begun or over: without one of them
// the account is enabled.
func openLDAPState(r *row) []fieldRule {
	all := marks()
	slots := make([]int, len(all))
	for i := range all {
		slots[i] = r.slot(all[i].attribute)
	}
	return stateRules(func(r *row) (bool, string, bool) {
		enabled, status := true, statusActive
		// What says most comes first: disabled, expired, locked, expires.
		weight := []string{statusActive, statusExpires, statusLocked, statusExpired, statusDisabled}
		for i, slot := range slots {
			v := r.first(slot)
			if v == "" {
				continue
			}
			means := all[i].judge(v, &r.calendar)
			if slices.Index(weight, means) > slices.Index(weight, status) {
				status = means
			}
			enabled = enabled && means != statusDisabled && means != statusExpired
		}
		return enabled, status, true
	})
}

// judge says what a value makes of an account at the time of the read.
func (m *mark) judge(v string, c *calendar) string {
	if m.means != nil {
		if means := m.means(v); means != statusActive {
			return means
		}
	}
	if m.begins != nil {
		if date, ok := m.begins(v); ok && !c.passed(date) {
			return statusDisabled
		}
	}
	if m.ends != nil {
		if date, ok := m.ends(v); ok {
			if c.passed(date) {
				return statusExpired
			}
			return statusExpires
		}
	}
	return statusActive
}
